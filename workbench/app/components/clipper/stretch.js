// Faster or slower without changing the pitch: overlapped frames, each laid where it continues the one before it best
// (WSOLA: Verhelst and Roelands 1993). Within `REACH_S` of where it stands in the recording.

const FRAME_S = 0.024;
const REACH_S = 0.008;
const STRIDE = 4; // every fourth sample is enough to find the likest place

class Stretch {
  constructor(sound, from, speed) {
    this.sound = sound;
    this.speed = speed;
    this.half = Math.round((FRAME_S * sound.rate) / 2);
    this.reach = Math.round(REACH_S * sound.rate);
    this.at = from; // where the next frame should stand
    this.before = null; // where the frame before it stands
    this.tail = null; // its second half, faded out
    this.rise = Float32Array.from({ length: this.half }, (_, i) => Math.sin((Math.PI * (i + 0.5)) / (2 * this.half)) ** 2);
  }

  // The next `hops` half frames: { sample, n, pcm } (n input samples became pcm), or null while the sound is not here.
  take(hops) {
    const { half, reach } = this;
    const start = Math.round(this.at) - reach - 2 * half;
    const input = this.sound.read(start, Math.ceil(hops * half * this.speed) + 2 * reach + 6 * half);
    if (!input) return null;
    const pcm = new Float32Array(hops * half);
    const sample = this.at;
    for (let hop = 0; hop < hops; hop++) {
      const ideal = Math.round(this.at) - start;
      const place = this.before === null ? ideal : this.likest(input, ideal, this.before - start + half);
      for (let i = 0; i < half; i++) {
        const now = input[place + i];
        pcm[hop * half + i] = this.tail ? this.tail[i] + this.rise[i] * now : now;
      }
      this.tail = Float32Array.from({ length: half }, (_, i) => (1 - this.rise[i]) * input[place + half + i]);
      this.before = place + start;
      this.at += half * this.speed;
    }
    return { sample, n: this.at - sample, pcm };
  }

  // Where near `ideal` the sound is most like what would come next at `wanted`.
  likest(input, ideal, wanted) {
    let best = ideal;
    let most = -Infinity;
    for (let place = ideal - this.reach; place <= ideal + this.reach; place += STRIDE) {
      let product = 0;
      let energy = 1e-9;
      for (let i = 0; i < this.half; i += STRIDE) {
        product += input[place + i] * input[wanted + i];
        energy += input[place + i] * input[place + i];
      }
      const likeness = product / Math.sqrt(energy);
      if (likeness > most) [most, best] = [likeness, place];
    }
    return best;
  }
}
