// What the renderer saw, over the input: 33 landmarks, 0..1 in the incoming picture, or lines.

const LEFT = [[11, 13], [13, 15], [23, 25], [25, 27], [27, 31], [27, 29], [29, 31]];
const RIGHT = LEFT.map(([a, b]) => [a + 1, b + 1]);
const TRUNK = [[11, 12], [23, 24], [11, 23], [12, 24]];
const BONES = [[TRUNK, '#fff6ec'], [LEFT, '#6fd3ff'], [RIGHT, '#ff9d73']];
const JOINTS = [0, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28, 31, 32];
const SEEN = 0.4;
const STALE_MS = 600;

export class Skeleton {
  drawn = 0;
  #timer;

  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d');
  }

  draw({ landmarks, lines }) {
    if (lines) return this.#drawLines(lines);
    this.clear();
    if (!landmarks?.length) return;
    this.drawn += 1;
    const { canvas, context } = this;
    const point = (i) => [landmarks[i][0] * canvas.width, landmarks[i][1] * canvas.height];
    const seen = (i) => landmarks[i] && landmarks[i][2] >= SEEN;
    const thick = Math.max(2, canvas.height / 90);
    context.lineCap = 'round';
    context.lineWidth = thick;
    for (const [bones, colour] of BONES) {
      context.strokeStyle = colour;
      context.beginPath();
      for (const [a, b] of bones) {
        if (!seen(a) || !seen(b)) continue;
        context.moveTo(...point(a));
        context.lineTo(...point(b));
      }
      context.stroke();
    }
    context.fillStyle = '#fff';
    for (const i of JOINTS) {
      if (!seen(i)) continue;
      context.beginPath();
      context.arc(...point(i), thick * 0.9, 0, 2 * Math.PI);
      context.fill();
    }
    this.#timer = setTimeout(() => this.clear(), STALE_MS);
  }

  #drawLines(webp) {
    const image = new Image();
    image.onload = () => {
      this.clear();
      this.drawn += 1;
      const { canvas: { width, height } } = this;
      const scale = Math.min(width / image.width, height / image.height);
      const [w, h] = [image.width * scale, image.height * scale];
      this.context.drawImage(image, (width - w) / 2, (height - h) / 2, w, h);
      this.#timer = setTimeout(() => this.clear(), STALE_MS);
    };
    image.src = `data:image/webp;base64,${webp}`;
  }

  clear() {
    clearTimeout(this.#timer);
    const { canvas } = this;
    const ratio = Math.min(2, devicePixelRatio || 1);
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
  }
}
