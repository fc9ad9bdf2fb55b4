for (const section of document.querySelectorAll(".trend")) {
  const data = JSON.parse(document.getElementById(`series-${section.dataset.view}`).textContent);
  const readout = section.querySelector(".readout");
  for (const svg of section.querySelectorAll("svg")) {
    const ys = JSON.parse(svg.dataset.y), cursor = svg.querySelector(".cursor");
    const nearest = (event) => {
      const box = svg.getBoundingClientRect(), size = svg.viewBox.baseVal;
      const x = (event.clientX - box.left) / box.width * size.width, y = (event.clientY - box.top) / box.height * size.height;
      let best = -1, least = Infinity;
      for (let index = 0; index < ys.length; index++) {
        if (ys[index] === null) continue;
        const distance = (data.x[index] - x) ** 2 + (ys[index] - y) ** 2;
        if (distance < least) { least = distance; best = index; }
      }
      return best;
    };
    const show = (index, open) => {
      if (index < 0) return;
      const [time, link, note, outcome] = data.points[index], value = data.values[svg.dataset.metric][index];
      cursor.setAttribute("cx", data.x[index]);
      cursor.setAttribute("cy", ys[index]);
      cursor.removeAttribute("hidden");
      const record = document.createElement("a");
      record.href = "../" + link.split("/").map(encodeURIComponent).join("/");
      record.textContent = time;
      readout.replaceChildren(record, ` ${value === null ? "not measured" : value}, ${outcome}, ${note}`);
      if (open) window.open(record.href, "_blank");
    };
    svg.addEventListener("pointermove", (event) => show(nearest(event), false));
    svg.addEventListener("click", (event) => show(nearest(event), true));
  }
}
