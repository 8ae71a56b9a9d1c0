/** Errors as sentences that name the thing and the cure. */

export class SisockError extends Error {
  /** @param {string} kind last word of the error's URI  @param {string} sentence what is wrong and what helps */
  constructor(kind, sentence) {
    super(sentence);
    this.name = "SisockError";
    this.kind = kind;
  }
}

const HOW = "Run `sisock link` where sisock runs, and open the address that it prints.";
const LINK_SPENT = `This sign-in is not valid: it was used before, or it has run out. ${HOW}`;
const ENDED = "This sign-in has ended: it has run out, or was taken back.";
const WRONG = "This name and password are not right, or were wrong too often: after five wrong ones wait half a minute.";
export const SIGN_IN_FIRST =
  "Nobody is signed in here yet. Give your name and password, or run `sisock link` where sisock runs, and open the address that it prints.";

/** Why {authid, ticket, session: whether it is one that an earlier sign-in gave} was refused: the router does not say. */
export function refusal({ authid, session }) {
  if (session) return `${ENDED} ${authid === "page" ? HOW : "Sign in again; if that is refused, ask whoever keeps sisock."}`;
  return authid === "page" ? LINK_SPENT : WRONG;
}

const SENTENCES = {
  no_such_procedure: (who) => `${who} is not connected: start it, or wait until it is listed as up.`,
  canceled: (who) => `${who} vanished while it was answering: it is asked again when it is back.`,
  not_authorized: (who) => `This sign-in may not read ${who}: ask whoever keeps sisock for the right.`,
  authorization_failed: (who) => `The router could not decide whether this sign-in may read ${who}: see the router's log.`,
};

/** Make a SisockError of whatever a WAMP call was rejected with; `who` is the thing that was asked. */
export function sentence(problem, who) {
  if (problem instanceof SisockError) return problem;
  const kind = String(problem?.error ?? "failed").split(".").pop();
  const said = problem?.args?.[0];
  if (problem?.error && !problem.error.startsWith("wamp.") && typeof said === "string") return new SisockError(kind, said);
  const make = SENTENCES[kind] ?? (() => `${who} could not answer (${kind}): ${said ?? problem?.message ?? "no reason given"}.`);
  return new SisockError(kind, make(who));
}
