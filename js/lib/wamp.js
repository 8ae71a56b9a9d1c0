/** The seam to autobahn-browser: one signed-in session over one WebSocket, CBOR only. */

import autobahn from "autobahn-browser";

const serializers = [new autobahn.serializer.CBORSerializer()];
autobahn.log.warn = () => {}; // what happens to a connection is told by the link's state
const DENIED = /not_authorized|authentication|authorization|no_auth_method|auth\.denied|no_such_principal/;

/**
 * Sign in once. Returns {session, extra, closed, close()}; `closed` is a promise that never rejects.
 * Rejects with {refused: boolean, reason} if there is no session within `patience` ms.
 */
export function signIn({ url, realm, authid, ticket, patience }) {
  return new Promise((resolve, reject) => {
    let ended;
    const closed = new Promise((end) => (ended = end));
    const connection = new autobahn.Connection({
      url,
      realm,
      serializers,
      authmethods: ["ticket"],
      authid,
      max_retries: 0,
      onchallenge: () => ticket,
      on_internal_error: () => connection.transport.close?.(),
      on_user_error: (problem) => setTimeout(() => { throw problem; }),
    });
    const close = () => {
      connection.onopen = connection.onclose = null;
      try {
        connection.close();
      } catch {
        // it was closed already
      }
      ended();
    };
    const timer = setTimeout(() => {
      close();
      reject({ refused: false, reason: "no answer" });
    }, patience);
    connection.onopen = (session, details) => {
      clearTimeout(timer);
      resolve({ session, extra: details.authextra, closed, close });
    };
    connection.onclose = (reason, details) => {
      clearTimeout(timer);
      reject({ refused: DENIED.test(details.reason ?? ""), reason: details.reason ?? reason });
      ended();
      return true;
    };
    connection.open();
  });
}

/** Call a procedure. Resolves with its result; rejects with autobahn's error. `progress` gets each earlier part. */
export function call(session, uri, args, kwargs, progress) {
  return new Promise((resolve, reject) => {
    const options = progress ? { receive_progress: true } : {};
    session.call(uri, args, kwargs, options).then(resolve, reject, progress);
  });
}
