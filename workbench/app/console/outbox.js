// Answers on their way to the store. Each is one entry of localStorage from the key press until the server has said
// that it is in the store; two tabs of one person can do no harm, since entries are only ever added or removed whole.

class Outbox {
  constructor(person, changed) {
    this.person = person;
    this.changed = changed;
    this.prefix = `workbench.pending.${person}.`;
    this.memory = new Map(); // where localStorage is full or forbidden
    this.count = 0;
    this.refused = 0;
    this.problem = null; // null | "offline" | "signed-out"
    this.sending = false;
    this.timer = null;
    this.backOff = new BackOff();
    addEventListener("online", () => this.send());
    addEventListener("beforeunload", (event) => {
      if (this.memory.size) event.preventDefault();
    });
  }

  add(event) {
    const made = { id: newId(), time: Date.now(), ...event };
    const key = `${this.prefix}${String(made.time).padStart(15, "0")}.${String(this.count++).padStart(9, "0")}.${made.id}`;
    const text = JSON.stringify(made);
    try {
      localStorage.setItem(key, text);
    } catch {
      this.memory.set(key, text);
    }
    this.changed();
    this.send();
  }

  waiting() {
    const found = [...this.memory.entries()];
    try {
      for (let i = 0; i < localStorage.length; i++) {
        const key = localStorage.key(i);
        if (key.startsWith(this.prefix)) found.push([key, localStorage.getItem(key)]);
      }
    } catch {
      // storage is forbidden here: what is in memory is all there is
    }
    return found.filter(([, text]) => text).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  tokens() {
    return this.waiting().map(([, text]) => JSON.parse(text).token);
  }

  async send() {
    if (this.sending) return;
    clearTimeout(this.timer);
    const batch = this.waiting().slice(0, 100);
    if (!batch.length) {
      this.changed();
      return;
    }
    this.sending = true;
    try {
      const now = Date.now();
      const events = batch.map(([, text]) => {
        const { time, ...event } = JSON.parse(text);
        return { ...event, age_ms: Math.max(0, now - time) };
      });
      const answer = await ask("/api/labels", { person: this.person, events });
      const settled = new Set(answer.acked);
      for (const { id, reason } of answer.refused) {
        settled.add(id);
        this.refused++;
        console.warn("an answer was refused:", reason);
      }
      for (const [key, text] of batch) if (settled.has(JSON.parse(text).id)) this.forget(key);
      this.problem = null;
      this.backOff.reset();
    } catch (error) {
      this.problem = error instanceof Refusal ? "signed-out" : "offline";
      this.timer = setTimeout(() => this.send(), this.backOff.wait());
    } finally {
      this.sending = false;
    }
    this.changed();
    if (!this.problem && this.waiting().length) this.send();
  }

  forget(key) {
    this.memory.delete(key);
    try {
      localStorage.removeItem(key);
    } catch {
      // it was never there
    }
  }
}
