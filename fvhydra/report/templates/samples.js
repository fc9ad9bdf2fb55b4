// One metric or one tag at a time.
const chosen = { metric: "", tag: "" };
function choose() {
  for (const place of document.querySelectorAll("[data-metric]"))
    place.hidden = Boolean(chosen.metric) && place.dataset.metric !== chosen.metric;
  for (const card of document.querySelectorAll("[data-tags]"))
    card.hidden = Boolean(chosen.tag) && !JSON.parse(card.dataset.tags).includes(chosen.tag);
}
const metricButtons = [...document.querySelectorAll("[data-metric-filter]")];
for (const button of metricButtons) {
  button.addEventListener("click", () => {
    for (const other of metricButtons) other.setAttribute("aria-pressed", String(other === button));
    chosen.metric = button.dataset.metricFilter;
    choose();
  });
}

// The table of all samples, a page at a time. Everything in it came from outside and is set as text.
class Samples {
  constructor(root, data, size = 50) {
    Object.assign(this, { root, data, size, page: 0, column: -1, upwards: true, text: "", tag: "" });
    const head = root.querySelector("thead").insertRow();
    ["sample", ...data.metrics].forEach((name, index) => {
      const cell = head.appendChild(document.createElement("th"));
      const button = cell.appendChild(document.createElement("button"));
      button.type = "button";
      button.textContent = name;
      button.addEventListener("click", () => this.sort(index - 1));
    });
    for (const button of root.querySelectorAll("[data-page]"))
      button.addEventListener("click", () => this.turn(Number(button.dataset.page)));
    this.select();
  }

  // -1 is the name; a second click turns the order round. What has no value comes last.
  sort(column) {
    this.upwards = column === this.column ? !this.upwards : true;
    this.column = column;
    this.select();
  }

  select() {
    const sign = this.upwards ? 1 : -1;
    const number = (row) => (typeof row[4][this.column] === "number" ? sign * row[4][this.column] : Infinity);
    const order =
      this.column < 0 ? (a, b) => sign * (a[0] < b[0] ? -1 : 1) : (a, b) => (number(a) < number(b) ? -1 : 1);
    this.rows = this.data.rows
      .filter((row) => !this.tag || row[2].includes(this.tag))
      .filter((row) => `${row[0]}\n${row[1]}`.toLowerCase().includes(this.text))
      .sort(order);
    this.page = 0;
    this.show();
  }

  turn(by) {
    this.page = Math.min(Math.max(this.page + by, 0), Math.max(0, Math.ceil(this.rows.length / this.size) - 1));
    this.show();
  }

  show() {
    const first = this.page * this.size;
    const body = this.root.querySelector("tbody");
    body.replaceChildren();
    for (const [sample, prompt, , url, values] of this.rows.slice(first, first + this.size)) {
      const line = body.insertRow();
      const name = line.appendChild(document.createElement("th"));
      const link = name.appendChild(document.createElement(url ? "a" : "span"));
      if (url) link.href = url;
      link.textContent = sample;
      link.title = prompt;
      for (const value of values)
        line.insertCell().textContent = typeof value === "number" ? String(value) : (value ?? "–");
    }
    const last = Math.min(first + this.size, this.rows.length);
    this.root.querySelector("[role=status]").textContent = `${last ? first + 1 : 0} to ${last} of ${this.rows.length}`;
  }
}

const place = document.getElementById("samples");
const data = document.getElementById("table");
const samples = data && new Samples(place, JSON.parse(data.textContent));
place.querySelector("[data-search]")?.addEventListener("input", (input) => {
  samples.text = input.target.value.toLowerCase();
  samples.select();
});
document.querySelector("[data-tag-filter]")?.addEventListener("change", (input) => {
  chosen.tag = input.target.value;
  choose();
  if (samples) {
    samples.tag = chosen.tag;
    samples.select();
  }
});
