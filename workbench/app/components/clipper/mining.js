// How far this sitting is: the place up to which the source is mined, the pace, and the time that is left at that pace.

const LONGEST_GAP_MS = 60_000; // longer is a break, not a pace
const LEAST_GAPS = 3;
const MINED_STEP_S = 10;

class Mining {
  constructor(mined) {
    this.mined = mined; // samples
    this.told = mined;
    this.decidedAt = [];
  }

  decided() {
    this.decidedAt.push(performance.now());
  }

  taken() {
    this.decidedAt.pop();
  }

  // Seconds per decision, the middle one; null while too few were made.
  pace() {
    const gaps = this.decidedAt.slice(1).map((at, i) => at - this.decidedAt[i]);
    const short = gaps.filter((gap) => gap < LONGEST_GAP_MS).sort((a, b) => a - b);
    return short.length < LEAST_GAPS ? null : short[short.length >> 1] / 1000;
  }

  left(stops) {
    const pace = this.pace();
    return pace === null ? null : stops * pace;
  }

  // Everything before `sample` is decided or heard; whether the server should be told.
  reached(sample, rate) {
    this.mined = Math.max(this.mined, Math.round(sample));
    if (this.mined - this.told < MINED_STEP_S * rate) return false;
    this.told = this.mined;
    return true;
  }
}
