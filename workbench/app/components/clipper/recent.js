// A map that lets go of what was not used for longest.

class Recent {
  constructor(most, dropped = () => {}) {
    this.most = most;
    this.dropped = dropped;
    this.entries = new Map();
  }
  get(name) {
    const found = this.entries.get(name);
    if (found === undefined) return undefined;
    this.entries.delete(name);
    this.entries.set(name, found);
    return found;
  }
  has(name) {
    return this.entries.has(name);
  }
  set(name, value) {
    this.entries.delete(name);
    this.entries.set(name, value);
    while (this.entries.size > this.most) {
      const [oldest, gone] = this.entries.entries().next().value;
      this.entries.delete(oldest);
      this.dropped(gone);
    }
  }
  get size() {
    return this.entries.size;
  }
}

const FETCH_MS = 20000;

// Bytes of the server, a few requests at a time: what is wanted now first, what is no longer wanted never.
class Fetcher {
  constructor({ lanes, address, arrived, failed }) {
    Object.assign(this, { lanes, address, arrived, failed });
    this.wanted = [];
    this.under = new Set();
    this.resting = new Map(); // name → when to try again
    this.backOff = new BackOff();
    this.closed = false;
  }

  // `names` in the order of need; replaces what was wanted before.
  want(names) {
    const now = performance.now();
    this.wanted = names.filter((name) => !this.under.has(name) && !((this.resting.get(name) ?? 0) > now));
    this.go();
  }

  go() {
    while (!this.closed && this.under.size < this.lanes && this.wanted.length) this.fetch(this.wanted.shift());
  }

  async fetch(name) {
    this.under.add(name);
    try {
      const answer = await fetch(this.address(name), { credentials: "same-origin", signal: AbortSignal.timeout(FETCH_MS) });
      if (!answer.ok) throw new Refusal(answer.status);
      const bytes = await answer.arrayBuffer();
      this.backOff.reset();
      this.resting.delete(name);
      if (!this.closed) this.arrived(name, bytes);
    } catch (error) {
      const wait = this.backOff.wait();
      this.resting.set(name, performance.now() + wait);
      if (!this.closed) setTimeout(() => this.failed(problemOf(error)), wait + 10);
    } finally {
      this.under.delete(name);
    }
    this.go();
  }

  close() {
    this.closed = true;
    this.wanted = [];
  }
}
