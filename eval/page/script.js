"use strict";
(() => {
  const mix = document.getElementById("mix");
  if (mix) mix.addEventListener("input", () => {
    document.documentElement.style.setProperty("--mix", String(mix.value / 100));
  });

  const table = document.getElementById("table");
  if (!table) return;
  const body = table.tBodies[0], rows = Array.from(body.rows);
  const heads = Array.from(table.tHead.rows[0].cells);

  // An empty value is no value: such rows stay at the end, whichever way the others go.
  const compare = (a, b, way) => {
    if (a === b) return 0;
    if (a === "") return 1;
    if (b === "") return -1;
    const x = Number(a), y = Number(b);
    return way * (Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y);
  };

  heads.forEach((head, at) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") === "descending" || (at === 0 && !head.hasAttribute("aria-sort"));
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => row.cells[at].dataset.v ?? row.cells[at].textContent;
      rows.sort((a, b) => compare(value(a), value(b), up ? 1 : -1));
      body.append(...rows);
    });
  });

  const find = document.getElementById("find"), count = document.getElementById("count");
  find.addEventListener("input", () => {
    const words = find.value.trim().toLowerCase();
    let seen = 0;
    for (const row of rows) {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(words);
      if (!row.hidden) seen += 1;
    }
    count.textContent = words ? seen + " of " + rows.length + " classes" : "";
  });
})();
