/** Subscriptions that outlive sessions: one a topic, however many listen, its changes one after the other. */

export class Topics {
  constructor() {
    this.topics = new Map();
    this.session = null;
    this.over = () => {}; // tells those who wait for the session's replies that there will be none
    this.ended = new Promise(() => {});
  }

  /** Listen to a topic. Resolves when that is so (at once while there is no session); rejects if it may not be. */
  async add(uri, handler) {
    if (!this.topics.has(uri)) this.topics.set(uri, { uri, handlers: new Set(), handle: null, of: null, last: Promise.resolve() });
    const topic = this.topics.get(uri);
    topic.handlers.add(handler);
    try {
      await this.settle(topic);
    } catch (problem) {
      topic.handlers.delete(handler);
      throw problem;
    }
  }

  /** Stop listening. */
  remove(uri, handler) {
    const topic = this.topics.get(uri);
    if (topic?.handlers.delete(handler)) this.settle(topic).catch(() => {}); // a session that ends ends its subscriptions
  }

  /** Go on with a new session, or with none. Resolves when all topics are subscribed that may be. */
  async move(session) {
    this.over();
    this.ended = new Promise((resolve) => (this.over = resolve));
    this.session = session;
    await Promise.allSettled([...this.topics.values()].map((topic) => this.settle(topic)));
  }

  /** Bring what the router knows in line with who listens, after earlier changes of this topic. */
  settle(topic) {
    const turn = topic.last.then(() => this.change(topic));
    topic.last = turn.catch(() => {});
    return turn;
  }

  async change(topic) {
    const session = this.session;
    if (topic.of !== session) Object.assign(topic, { handle: null, of: session });
    if (!session) return;
    if (topic.handlers.size && !topic.handle) {
      const tell = (args) => {
        for (const handler of [...topic.handlers]) handler(...args);
      };
      topic.handle = (await Promise.race([session.subscribe(topic.uri, tell), this.ended])) ?? null;
    } else if (!topic.handlers.size && topic.handle) {
      const { handle } = topic;
      topic.handle = null;
      await Promise.race([session.unsubscribe(handle), this.ended]);
    }
  }
}
