/** The names under which things are called on the router. */

export const PREFIX = "org.simonsobservatory";

/** Every URI that a browser needs, below one prefix. */
export function uris(prefix = PREFIX) {
  return {
    nodes: `${prefix}.hub.nodes`,
    started: `${prefix}.hub.started`,
    news: `${prefix}.hub.news`, // nodes that came and went, several in one event
    signOut: `${prefix}.router.sign_out`, // takes the session's ticket
    node: (node, what) => `${prefix}.consumer.${node}.${what}`, // get_fields, get_data, get_sample
    archive: (node, what) => `${prefix}.archive.${node}.${what}`, // the same, of whoever recorded it
    live: (node) => `${prefix}.consumer.${node}.live`,
  };
}
