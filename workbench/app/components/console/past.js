// The clips one can go back to: those of this page with their sound, and the tokens of those before it.

const KEPT_SOUND = 20; // clips one can go back to without fetching
const KEPT_PAST = 50; // clips one can go back to at all

class Past {
  constructor(person) {
    this.key = `workbench.status.past_runs.${person}`;
    this.clips = [];
  }

  push(clip) {
    this.clips.push(clip);
    const gone = this.clips.length > KEPT_SOUND ? this.clips.shift() : null;
    if (gone?.blob) URL.revokeObjectURL(gone.blob);
  }

  pop() {
    return this.clips.pop() ?? null;
  }

  tokens() {
    try {
      return JSON.parse(localStorage.getItem(this.key) ?? "[]");
    } catch {
      return [];
    }
  }

  remember(token) {
    this.write([...this.tokens(), token].slice(-KEPT_PAST));
  }

  forget(token) {
    this.write(this.tokens().filter((other) => other !== token));
  }

  write(tokens) {
    try {
      localStorage.setItem(this.key, JSON.stringify(tokens));
    } catch {
      // going back then reaches only what this page has played
    }
  }
}
