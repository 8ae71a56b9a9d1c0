/** The names under which things are called on the router. */

export const PREFIX = "org.simonsobservatory";

/** Every URI that a browser needs, below one prefix. */
export function uris(prefix = PREFIX) {
  return {
    nodes: `${prefix}.hub.nodes`,
    started: `${prefix}.hub.started`,
    added: `${prefix}.consumer.data_node_added`,
    subtracted: `${prefix}.consumer.data_node_subtracted`,
    node: (node, what) => `${prefix}.consumer.${node}.${what}`, // get_fields, get_data, get_sample
    archive: (node, what) => `${prefix}.archive.${node}.${what}`, // the same, of whoever recorded it
    live: (node) => `${prefix}.consumer.${node}.live`,
  };
}
