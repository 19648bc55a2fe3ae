// Pictures of the sound at a level of detail: one tile is a stretch of time, with its spectrum and its loudest samples.

const MOST_TILES = 240; // 40 MB with their pictures
const TILE_LANES = 6;
const PARENTS = 5; // so many levels up something coarser is looked for while the fine one is on its way

class Tiles {
  // `form`: columns, rows, finest, levels as the server tells them.
  constructor({ form, samples, address, changed, most = MOST_TILES }) {
    Object.assign(this, { form, samples, changed });
    this.tiles = new Recent(most);
    this.problem = null;
    this.names = [];
    this.fetcher = new Fetcher({
      lanes: TILE_LANES,
      address: (name) => address(...name.split("/").map(Number)),
      arrived: (name, bytes) => {
        const cells = form.columns * form.rows;
        this.problem = null;
        this.tiles.set(name, { cells: new Uint8Array(bytes, 0, cells), peaks: new Int8Array(bytes, cells), canvas: null });
        this.changed();
      },
      failed: (problem) => {
        this.problem = problem;
        this.want(this.names);
        this.changed();
      },
    });
  }

  // The level at which a column is no wider than a pixel of `perPixel` samples.
  levelOf(perPixel) {
    const level = Math.floor(Math.log2(Math.max(1, perPixel) / this.form.finest));
    return Math.min(this.form.levels - 1, Math.max(0, level));
  }

  spanOf(level) {
    return this.form.columns * this.form.finest * 2 ** level;
  }

  // Indices of the tiles of a level that touch [start, end).
  within(level, start, end) {
    const span = this.spanOf(level);
    const first = Math.max(0, Math.floor(start / span));
    const last = Math.floor((Math.min(end, this.samples) - 1) / span);
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  }

  // What can be seen first, then its neighbours and what a step of zooming would show.
  see(perPixel, start, end) {
    const level = this.levelOf(perPixel);
    const width = end - start;
    const names = [];
    const add = (at, from, to) => names.push(...this.within(at, from, to).map((index) => `${at}/${index}`));
    add(level, start, end);
    add(level, end, end + width / 2);
    add(level, start - width / 2, start);
    if (level + 2 < this.form.levels) add(level + 2, start - width, end + width);
    if (level > 0) add(level - 1, start + width / 4, end - width / 4);
    this.want([...new Set(names)]);
  }

  want(names) {
    this.names = names;
    this.fetcher.want(names.filter((name) => !this.tiles.has(name)));
  }

  get(level, index) {
    return this.tiles.get(`${level}/${index}`);
  }

  // The tile, or a coarser one that holds its stretch: { tile, level, index }, or null.
  best(level, index) {
    for (let up = 0; up <= PARENTS && level + up < this.form.levels; up++) {
      const tile = this.get(level + up, index >> up);
      if (tile) return { tile, level: level + up, index: index >> up };
    }
    return null;
  }

  // The loudest samples down and up within [start, end) at a level, in [-1, 1]; null where they are not here.
  peak(level, start, end) {
    const { columns, finest } = this.form;
    const wide = finest * 2 ** level;
    let low = 127;
    let high = -128;
    const last = Math.min(Math.ceil(end / wide), Math.ceil(this.samples / wide));
    for (let column = Math.floor(start / wide); column < last; column++) {
      const found = this.best(level, Math.floor(column / columns));
      if (!found) return null;
      const at = (column >> (found.level - level)) - found.index * columns;
      low = Math.min(low, found.tile.peaks[2 * at]);
      high = Math.max(high, found.tile.peaks[2 * at + 1]);
    }
    return high < low ? null : [low / 128, high / 128];
  }

  close() {
    this.fetcher.close();
  }
}

// The spectrum of a tile in the colours of `shade`, made once for each.
function pictureOf(tile, form, shade) {
  if (tile.canvas && tile.shade === shade) return tile.canvas;
  const canvas = tile.canvas ?? Object.assign(document.createElement("canvas"), { width: form.columns, height: form.rows });
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(form.columns, form.rows);
  const pixels = new Uint32Array(image.data.buffer);
  for (let column = 0; column < form.columns; column++) {
    const from = column * form.rows;
    for (let row = 0; row < form.rows; row++) {
      pixels[(form.rows - 1 - row) * form.columns + column] = shade.colours[tile.cells[from + row]];
    }
  }
  pen.putImageData(image, 0, 0);
  tile.canvas = canvas;
  tile.shade = shade;
  return canvas;
}
