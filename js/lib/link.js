/** A connection that is kept for ever: signs in, notices silence, comes back, and says in which state it is. */

import { SIGN_IN_FIRST, SisockError, refusal, sentence } from "./errors.js";
import { Topics } from "./topics.js";
import { call, signIn } from "./wamp.js";

const FIRST_DELAY = 300;
const LONGEST_DELAY = 5000;
const PATIENCE = 10000; // ms that a sign-in or a call may take
const BEAT = 8000; // ms between proofs that the router is alive

export class Link {
  /** @param options {url, realm, beat: a URI that may be called at any time, signOut: one that takes a ticket}  @param tickets Tickets */
  constructor(options, tickets) {
    this.options = options;
    this.tickets = tickets;
    this.state = "connecting";
    this.reason = "";
    this.current = null;
    this.who = null; // the name of whoever is, or was last, signed in
    this.listeners = new Set();
    this.topics = new Topics();
    this.pending = new Set();
    this.wake = () => {};
    globalThis.addEventListener?.("online", () => this.wake());
    this.keep();
  }

  /** Tell `callback(state, sentence)` now and at each change; returns a function that stops it. */
  onState(callback) {
    this.listeners.add(callback);
    callback(this.state, this.reason);
    return () => this.listeners.delete(callback);
  }

  /** Call a procedure; waits for the connection, rejects with a SisockError after `deadline` ms. */
  async call(uri, args, kwargs, { who, deadline = PATIENCE, progress } = {}) {
    const giveUp = Promise.withResolvers();
    const late = new SisockError("deadline", `${who} did not answer within ${deadline / 1000} s: it may be busy or hang.`);
    const timer = setTimeout(() => giveUp.reject(late), deadline);
    this.pending.add(giveUp);
    try {
      const session = await Promise.race([this.joined(), giveUp.promise]);
      return await Promise.race([call(session, uri, args, kwargs, progress), giveUp.promise]);
    } catch (problem) {
      throw sentence(problem, who);
    } finally {
      clearTimeout(timer);
      this.pending.delete(giveUp);
    }
  }

  /** Subscribe, now and after each reconnect; resolves with a function that ends it. `who` is for the error's sentence. */
  async subscribe(uri, handler, who) {
    const own = (...args) => handler(...args); // the same handler may listen twice
    try {
      await this.topics.add(uri, own);
    } catch (problem) {
      throw sentence(problem, who);
    }
    return () => this.topics.remove(uri, own);
  }

  /** Sign in with a new one-time token, or as {name, password}. */
  signIn(who) {
    this.tickets.renew(who);
    if (this.state === "refused") this.keep();
    else this.wake();
  }

  /** End the session, here and at the router, and wait for somebody to sign in. */
  async signOut() {
    const ticket = this.tickets.forget();
    if (this.current && ticket) await call(this.current.session, this.options.signOut, [ticket], {}).catch(() => {});
    this.current?.close();
    this.wake();
  }

  /** End the connection for good. */
  close() {
    this.set("closed", "This page closed the connection.");
    this.current?.close();
    this.wake();
  }

  // keeping it

  async keep() {
    let delay = FIRST_DELAY;
    let why = null; // the first of what was tried was refused
    this.set("connecting", "Connecting to the router…");
    while (this.state !== "closed") {
      try {
        await this.once();
        delay = FIRST_DELAY;
        why = null;
      } catch (problem) {
        if (problem.refused) why ??= problem.sentence ?? refusal(this.tickets.next);
        if (problem.refused && !this.tickets.refused()) return this.set("refused", why);
        if (problem.refused) continue;
      }
      if (this.state === "closed") return;
      if (this.tickets.next === null) continue; // signed out
      this.set("lost", "The router does not answer; trying again until it does.");
      await this.pause(delay * (0.8 + 0.4 * Math.random()));
      delay = Math.min(LONGEST_DELAY, delay * 1.6);
    }
  }

  /** One session from sign-in to its end. */
  async once() {
    const { authid, ticket } = this.tickets.next ?? {};
    if (!ticket) throw { refused: true, sentence: SIGN_IN_FIRST };
    const joined = await signIn({ ...this.options, authid, ticket, patience: PATIENCE });
    this.tickets.welcome(authid, joined.extra);
    this.who = authid;
    await Promise.race([this.topics.move(joined.session), joined.closed]);
    this.current = joined;
    this.set("connected", "Connected.");
    const heart = setInterval(() => this.beat(joined), BEAT);
    await joined.closed;
    clearInterval(heart);
    this.current = null;
    this.topics.move(null);
    const lost = new SisockError("lost", "The connection to the router was lost: it is asked again after reconnecting.");
    for (const waiting of this.pending) waiting.reject(lost);
  }

  /** Any reply, even an error, proves that the router is alive; none ends the session. */
  async beat(joined) {
    const silence = new Promise((resolve) => setTimeout(resolve, BEAT / 2, "silence"));
    const reply = call(joined.session, this.options.beat, [], {}).catch(() => "error");
    if ((await Promise.race([reply, silence])) === "silence") joined.close();
  }

  pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  joined() {
    if (this.current) return Promise.resolve(this.current.session);
    if (this.state === "refused") return Promise.reject(new SisockError("not_authorized", this.reason));
    return new Promise((resolve) => {
      const stop = this.onState((state) => {
        if (state !== "connected" || !this.current) return;
        resolve(this.current.session);
        queueMicrotask(() => stop());
      });
    });
  }

  set(state, reason) {
    this.state = state;
    this.reason = reason;
    for (const listener of [...this.listeners]) listener(state, reason);
  }
}
