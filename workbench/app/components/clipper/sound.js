// The samples of a source as its linear decode gave them, a chunk at a time: fetched ahead, let go when long unused.

const CHUNK_S = 2;
const MOST_CHUNKS = 90; // three minutes: 35 MB at 48 kHz
const SOUND_LANES = 3;

class Sound {
  // `address(start, n)`: where n samples from `start` are to be had, PCM16 little-endian.
  constructor({ rate, samples, address, changed }) {
    this.rate = rate;
    this.samples = samples;
    this.chunk = CHUNK_S * rate;
    this.changed = changed;
    this.chunks = new Recent(MOST_CHUNKS);
    this.problem = null;
    this.wishes = [];
    this.fetcher = new Fetcher({
      lanes: SOUND_LANES,
      address: (index) => address(index * this.chunk, Math.min(this.chunk, samples - index * this.chunk)),
      arrived: (index, bytes) => {
        this.problem = null;
        this.chunks.set(index, new Int16Array(bytes));
        this.changed();
      },
      failed: (problem) => {
        this.problem = problem;
        this.renew();
        this.changed();
      },
    });
  }

  // Stretches [start, end) that will be heard, the next one first.
  want(stretches) {
    this.wishes = stretches;
    this.renew();
  }

  renew() {
    const names = new Set();
    for (const [start, end] of this.wishes) {
      const last = Math.floor((Math.min(end, this.samples) - 1) / this.chunk);
      for (let index = Math.max(0, Math.floor(start / this.chunk)); index <= last; index++) names.add(index);
    }
    this.fetcher.want([...names].filter((index) => !this.chunks.has(index)));
  }

  // n samples from `start` as float32 in [-1, 1], zeros outside of the recording; null while some are not here.
  read(start, n) {
    const out = new Float32Array(n);
    let at = Math.max(0, start);
    const end = Math.min(this.samples, start + n);
    while (at < end) {
      const index = Math.floor(at / this.chunk);
      const chunk = this.chunks.get(index);
      if (!chunk) return null;
      const from = at - index * this.chunk;
      const count = Math.min(end - at, this.chunk - from);
      for (let i = 0; i < count; i++) out[at - start + i] = (chunk[from + i] ?? 0) / 32768;
      at += count;
    }
    return out;
  }

  close() {
    this.fetcher.close();
  }
}
