// Talking to the server. An answer that is no success is a `Refusal`; `problemOf` says in one word what it means.

const PROBLEMS = { 401: "signed_out", 403: "not_allowed", 404: "gone", 409: "other_person", 413: "too_much", 422: "refused" };

class Refusal extends Error {
  constructor(status, reason = "") {
    super(reason || `the server said ${status}`);
    this.status = status;
  }
}

// "offline" when no answer came at all, "unavailable" for an answer that says nothing but to try later.
function problemOf(error) {
  return error instanceof Refusal ? (PROBLEMS[error.status] ?? "unavailable") : "offline";
}

// The key of the words for a problem that passes by waiting, or by what the person does.
function wordsOf(problem) {
  if (problem === "not_allowed") return "signed_out"; // whoever is signed in may label
  return ["offline", "signed_out", "other_person"].includes(problem) ? problem : "unavailable";
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
    if (!answer.ok) throw new Refusal(answer.status, (await answer.json().catch(() => null))?.error);
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
