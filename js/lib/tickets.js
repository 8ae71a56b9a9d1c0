/** What is signed in with: the one-time token of the page's address, or a name and a password; then the session's ticket. */

const PAGE = "page"; // whose the one-time tokens are

export class Tickets {
  /**
   * @param token one-time token, or null
   * @param storage where the session's ticket outlives a reload (sessionStorage), or null
   * @param key the name it is kept under
   */
  constructor(token, storage, key) {
    this.given = token === null ? null : { authid: PAGE, ticket: token };
    this.storage = storage;
    this.key = key;
    this.session = this.stored();
  }

  /** What to try now, {authid, ticket, session: whether an earlier sign-in gave it}, or null. */
  get next() {
    if (this.given) return { ...this.given, session: false };
    return this.session && { ...this.session, session: true };
  }

  /** Keep what the router gave at sign-in; what was given here is forgotten. */
  welcome(authid, extra) {
    this.given = null;
    if (!extra?.session_token) return;
    this.session = { authid, ticket: extra.session_token };
    this.storage?.setItem(this.key, JSON.stringify(this.session));
  }

  /** Forget what was refused; returns whether something else is left to try. */
  refused() {
    if (this.given !== null) this.given = null;
    else this.forget();
    return this.next !== null;
  }

  /** Sign in as this one next: a one-time token, or {name, password}. */
  renew(who) {
    this.given = typeof who === "string" ? { authid: PAGE, ticket: who } : { authid: who.name, ticket: who.password };
  }

  /** Forget everything; returns the session's ticket. */
  forget() {
    const ticket = this.session?.ticket ?? null;
    this.given = this.session = null;
    this.storage?.removeItem(this.key);
    return ticket;
  }

  stored() {
    try {
      const kept = JSON.parse(this.storage?.getItem(this.key) ?? "null");
      return typeof kept?.authid === "string" && typeof kept?.ticket === "string" ? kept : null;
    } catch {
      return null;
    }
  }
}
