/** What the page signs in with: the one-time token of its address, later the session token of the welcome. */

export class Tickets {
  /**
   * @param token one-time token, or null
   * @param storage where the session token outlives a reload (sessionStorage), or null
   * @param key the name it is kept under
   */
  constructor(token, storage, key) {
    this.token = token;
    this.storage = storage;
    this.key = key;
    this.session = storage?.getItem(key) ?? null;
  }

  /** The ticket to try now, or null. */
  get next() {
    return this.token ?? this.session;
  }

  /** Keep what the router gave at sign-in; the one-time token is spent. */
  welcome(extra) {
    this.token = null;
    if (!extra?.session_token) return;
    this.session = extra.session_token;
    this.storage?.setItem(this.key, this.session);
  }

  /** Forget the ticket that was refused; returns whether another one is left to try. */
  refused() {
    if (this.token !== null) {
      this.token = null;
    } else {
      this.session = null;
      this.storage?.removeItem(this.key);
    }
    return this.next !== null;
  }

  /** Use a new one-time token. */
  renew(token) {
    this.token = token;
  }
}
