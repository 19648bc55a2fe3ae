// Entries of localStorage under one prefix. Two tabs of one person can do no harm, since entries are only ever added or
// removed whole.

class Drawer {
  constructor(prefix) {
    this.prefix = prefix;
    this.memory = new Map(); // where localStorage is full or forbidden
  }

  put(name, entry) {
    const text = JSON.stringify(entry);
    try {
      localStorage.setItem(this.prefix + name, text);
    } catch {
      this.memory.set(this.prefix + name, text);
    }
  }

  // [name, entry] of all, in the order of their names.
  all() {
    const found = [...this.memory.entries()];
    for (const key of storedKeys()) if (key.startsWith(this.prefix)) found.push([key, localStorage.getItem(key)]);
    return found
      .filter(([, text]) => text)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, text]) => [key.slice(this.prefix.length), JSON.parse(text)]);
  }

  remove(name) {
    this.memory.delete(this.prefix + name);
    try {
      localStorage.removeItem(this.prefix + name);
    } catch {
      // it was never there
    }
  }
}

function storedKeys() {
  try {
    return Array.from({ length: localStorage.length }, (_, i) => localStorage.key(i)).filter(Boolean);
  } catch {
    return []; // storage is forbidden here: what is in memory is all there is
  }
}
