// Talking to the server. `Refusal` is an answer that asking again will not change by itself.

class Refusal extends Error {
  constructor(status) {
    super(`refused with ${status}`);
    this.status = status;
  }
}

async function ask(path, body, timeout = 15000) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeout);
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal: stop.signal,
    });
    if (!answer.ok) throw answer.status >= 500 ? new Error(`server said ${answer.status}`) : new Refusal(answer.status);
    return await answer.json();
  } finally {
    clearTimeout(timer);
  }
}

// 128 random bits. crypto.randomUUID is missing on plain http, where many labs serve their own network.
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Waits that grow from `first` to `last` ms, each with some chance in it so that many browsers do not come back at once.
class BackOff {
  constructor(first = 400, last = 5000) {
    this.first = first;
    this.last = last;
    this.reset();
  }
  reset() {
    this.next = this.first;
  }
  wait() {
    const now = this.next * (0.75 + Math.random() / 2);
    this.next = Math.min(this.last, this.next * 2);
    return now;
  }
}
