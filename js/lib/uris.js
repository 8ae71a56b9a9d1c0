/** The names under which things are called on the router. */

export const PREFIX = "org.simonsobservatory";

/** Every URI that a browser needs, below one prefix. */
export function uris(prefix = PREFIX) {
  return {
    nodes: `${prefix}.hub.nodes`,
    started: `${prefix}.hub.started`,
    added: `${prefix}.consumer.data_node_added`,
    subtracted: `${prefix}.consumer.data_node_subtracted`,
    fields: (node) => `${prefix}.consumer.${node}.get_fields`,
    data: (node) => `${prefix}.consumer.${node}.get_data`,
    live: (node) => `${prefix}.consumer.${node}.live`,
  };
}
