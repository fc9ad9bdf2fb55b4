// Clips that are addressed by frame. There is one clock, the frame number: every screen shows the same frame or
// waits for it, so playback becomes slower rather than unequal on a slow machine.

const KEPT_BYTES = 512 * 2 ** 20; // decoded frames of one player; what is kept needs no second seek

const nextPaint = () => new Promise(requestAnimationFrame);
const event = (target, ...names) =>
  new Promise((resolve) => names.forEach((name) => target.addEventListener(name, resolve, { once: true })));

class Screen {
  constructor(figure) {
    this.canvas = figure.querySelector("canvas");
    this.video = figure.querySelector("video");
  }

  async open() {
    this.video.preload = "auto";
    this.video.load();
    await event(this.video, "loadeddata", "error");
    if (this.video.error) return reportMissing(this.canvas.parentElement);
    this.canvas.width = this.video.videoWidth;
    this.canvas.height = this.video.videoHeight;
  }

  async decode(time) {
    const done = event(this.video, "seeked", "error");
    this.video.currentTime = time;
    await done;
    return createImageBitmap(this.video);
  }
}

class Player {
  constructor(root) {
    this.root = root;
    this.fps = Number(root.dataset.fps);
    this.last = Number(root.dataset.frames) - 1;
    this.worst = Number(root.dataset.start);
    this.values = JSON.parse(root.dataset.values);
    this.kept = new Map();
    this.frame = -1;
    this.wanted = this.worst;
    this.playing = false;
    this.screens = [...root.querySelectorAll("figure:has(video)")].map((figure) => new Screen(figure));
    this.difference = root.querySelector("[data-screen=difference] canvas");
    this.curve = root.querySelector(".curve[role=slider]");
    this.listen();
  }

  listen() {
    const actions = {
      back: () => this.step(-1),
      forward: () => this.step(1),
      toggle: () => this.toggle(),
      worst: () => this.rest(this.worst),
    };
    for (const button of this.root.querySelectorAll("[data-do]"))
      button.addEventListener("click", actions[button.dataset.do]);
    this.root.querySelector("[data-gain]")?.addEventListener("input", (input) => this.amplify(input.target.value));
    const point = (pointer) => {
      const box = this.curve.getBoundingClientRect();
      this.seek(Math.floor(((pointer.clientX - box.left) / box.width) * (this.last + 1)));
    };
    this.curve?.addEventListener("pointerdown", (pointer) => {
      this.curve.setPointerCapture(pointer.pointerId);
      point(pointer);
    });
    this.curve?.addEventListener("pointermove", (pointer) => pointer.buttons && point(pointer));
  }

  open() {
    this.opened ??= Promise.all(this.screens.map((screen) => screen.open())).then(() => {
      const whole = this.screens.every((screen) => !screen.video.error);
      this.screens = this.screens.filter((screen) => !screen.video.error);
      if (this.difference && !whole) {
        this.difference.closest("figure").hidden = true;
        this.difference = null;
      }
      if (this.difference) {
        this.difference.width = this.screens[0].canvas.width;
        this.difference.height = this.screens[0].canvas.height;
        this.amplify(this.root.querySelector("[data-gain]").value);
      }
      const bytes = this.screens.reduce((sum, { canvas }) => sum + canvas.width * canvas.height * 4, 0);
      this.capacity = Math.floor(KEPT_BYTES / Math.max(1, bytes));
    });
    return this.opened;
  }

  close() {
    this.pause();
    for (const image of [...this.kept.values()].flat()) image.close();
    this.kept.clear();
  }

  // Requests that come while one is being served collapse into the newest.
  seek(frame) {
    this.wanted = Math.min(Math.max(frame, 0), this.last);
    this.settled ??= this.settle().finally(() => (this.settled = null));
    return this.settled;
  }

  async settle() {
    await this.open();
    while (this.screens.length && this.frame !== this.wanted) {
      const frame = this.wanted;
      const images = this.kept.get(frame) ?? (await this.decode(frame));
      this.paint(images, frame);
      if (!this.kept.has(frame)) for (const image of images) image.close();
    }
  }

  async decode(frame) {
    const images = await Promise.all(this.screens.map((screen) => screen.decode((frame + 0.5) / this.fps)));
    if (this.kept.size < this.capacity) this.kept.set(frame, images);
    return images;
  }

  paint(images, frame) {
    this.frame = frame;
    this.screens.forEach(({ canvas }, index) => {
      canvas.getContext("2d").drawImage(images[index], 0, 0);
      canvas.dataset.frame = frame;
    });
    if (this.difference) {
      const context = this.difference.getContext("2d");
      context.globalCompositeOperation = "copy";
      context.drawImage(images[0], 0, 0);
      context.globalCompositeOperation = "difference";
      context.drawImage(images[1], 0, 0);
      this.difference.dataset.frame = frame;
    }
    const found = this.values[frame] ?? null; // none where it is not finite, or the last frame has no next one
    const value = found === null ? "" : ` · ${this.root.dataset.title} ${found.toFixed(4)}`;
    const text = `frame ${frame + 1} of ${this.last + 1} · ${(frame / this.fps).toFixed(2)} s${value}`;
    this.root.querySelector(".readout").textContent = text;
    this.curve?.setAttribute("aria-valuenow", frame);
    this.curve?.setAttribute("aria-valuetext", text);
    this.curve?.style.setProperty("--at", `${((frame + 0.5) / (this.last + 1)) * 100}%`);
  }

  amplify(gain) {
    this.difference.style.filter = `brightness(${gain})`;
    this.root.querySelector("[data-screen=difference] output").value = gain;
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  async play() {
    this.show(true);
    let due = performance.now();
    if (this.frame === this.last) await this.seek(0);
    while (this.playing) {
      const loops = this.root.querySelector("[data-loop]").checked;
      if (this.frame === this.last && !loops) break;
      await this.seek(this.frame === this.last ? 0 : this.frame + 1);
      due = Math.max(due + 1000 / this.fps, performance.now());
      while (this.playing && performance.now() < due - 4) await nextPaint();
      await nextPaint();
    }
    this.show(false);
  }

  pause() {
    this.show(false);
  }

  show(playing) {
    this.playing = playing;
    const button = this.root.querySelector("[data-do=toggle]");
    button.setAttribute("aria-label", playing ? "pause" : "play");
    button.innerHTML = playing ? "❚❚ <span>pause</span>" : "▶ <span>play</span>";
  }

  rest(frame) {
    this.pause();
    return this.seek(frame);
  }

  step(by) {
    return this.rest(this.wanted + by);
  }
}

const players = new Map([...document.querySelectorAll(".player")].map((root) => [root, new Player(root)]));

// Decoders and decoded frames only for what is on or near the screen.
const nearby = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const player = players.get(target);
      if (isIntersecting) player.seek(player.wanted);
      else player.close();
    }
  },
  { rootMargin: "400px" },
);
for (const root of players.keys()) nearby.observe(root);

// The keyboard acts on the case that was used last while it is in sight, else on the topmost one in sight.
let used = null;
const visible = (element) => {
  const box = element.getBoundingClientRect();
  return !element.hidden && box.bottom > 80 && box.top < innerHeight - 80;
};
const cases = () => [...document.querySelectorAll(".case:not([hidden])")];
const current = () => (used && visible(used) ? used : cases().find(visible));

// The case after (1) or before (-1) the one that was used; the first press goes to the one that is in sight.
function neighbour(by) {
  const all = cases();
  if (used && visible(used)) return all[all.indexOf(used) + by];
  const first = all.findIndex((article) => article.getBoundingClientRect().bottom > 80);
  return all[by > 0 ? first : first - 1];
}

function moveTo(article) {
  if (!article) return;
  used = article;
  article.scrollIntoView({ block: "start" });
  article.focus({ preventScroll: true });
}

document.addEventListener("focusin", ({ target }) => (used = target.closest(".case") ?? used));
document.addEventListener("pointerdown", ({ target }) => (used = target.closest(".case") ?? used));
document.addEventListener("keydown", (key) => {
  if (key.ctrlKey || key.metaKey || key.altKey) return;
  const player = players.get(current()?.querySelector(".player"));
  const actions = {
    j: () => moveTo(neighbour(1)),
    k: () => moveTo(neighbour(-1)),
    ...(player && {
      " ": () => player.toggle(),
      ArrowLeft: () => player.step(-1),
      ArrowRight: () => player.step(1),
      Home: () => player.rest(0),
      End: () => player.rest(player.last),
      w: () => player.rest(player.worst),
    }),
  };
  // what has the focus keeps the keys that it understands itself
  const own = key.key === " " ? "button, input, summary, pre, video, audio" : "[type=range], pre, video, audio";
  const taken = key.key.length > 1 || key.key === " " ? key.target.closest(own) : null;
  if (!actions[key.key] || taken) return;
  key.preventDefault();
  actions[key.key]();
});
