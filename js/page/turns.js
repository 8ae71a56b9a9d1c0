/** Questions to one node, one after the other: whoever waits asks, when its turn has come, for what is wanted then. */

export class Turns {
  last = Promise.resolve();

  /** What `job` gives, or why it failed, once all that came before is over. */
  take(job) {
    const turn = this.last.then(job);
    this.last = turn.catch(() => {});
    return turn;
  }
}
