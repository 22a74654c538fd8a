"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const tiles = Array.from(document.querySelectorAll(".open"));
  const dialog = byId("large"), stage = byId("stage"), facts = byId("facts");
  let at = -1, spoken = 0;

  function say(text) {
    // Inside an open modal dialog only what belongs to it is seen and read out.
    (dialog.open ? dialog : document.body).append(byId("said"));
    byId("said").textContent = text;
    clearTimeout(spoken);
    spoken = setTimeout(() => { byId("said").textContent = ""; }, 4000);
  }

  function copied(text) {
    const done = () => say("Copied: " + text);
    const byHand = () => {
      const field = document.createElement("textarea");
      field.value = text;
      (dialog.open ? dialog : document.body).append(field);
      field.select();
      const taken = document.execCommand("copy");
      field.remove();
      if (taken) done(); else say("Type: " + text);
    };
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, byHand); else byHand();
  }

  function fact(name, value) {
    if (!value) return;
    const term = document.createElement("dt"), told = document.createElement("dd");
    term.textContent = name;
    told.textContent = value;
    facts.append(term, told);
  }

  function frame() {
    const tile = tiles[at].dataset, whole = byId("zoom").getAttribute("aria-pressed") !== "true";
    byId("picture").setAttribute(
      "viewBox", whole ? "0 0 " + tile.width + " " + tile.height
        : tiles[at].querySelector("svg").getAttribute("viewBox"));
  }

  function show(index) {
    at = Math.max(0, Math.min(tiles.length - 1, index));
    const tile = tiles[at], told = tile.dataset, path = tile.querySelector("path").getAttribute("d");
    byId("photo").setAttribute("href", tile.querySelector("use").getAttribute("href"));
    byId("outline").setAttribute("d", path);
    byId("picture").setAttribute("aria-label", tile.getAttribute("aria-label"));
    byId("asked").textContent = told.question;
    byId("where").textContent = (at + 1) + " of " + tiles.length;
    facts.replaceChildren();
    fact("score", told.score);
    fact("cosine", told.cosine);
    fact("matched", told.matched);
    fact("photo", told.path);
    fact("size", told.width + " × " + told.height);
    fact("segment", told.share + " of the photo");
    fact("box", told.box);
    fact("taken", told.taken);
    fact("camera", told.camera);
    fact("near copies", told.folded);
    byId("command").textContent = told.command;
    const link = byId("original");
    link.hidden = !told.link;
    if (told.link) link.href = told.link; else link.removeAttribute("href");
    byId("back").disabled = at === 0;
    byId("next").disabled = at === tiles.length - 1;
    frame();
  }

  function press(button) {
    button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
    stage.classList.toggle("bare", byId("lines").getAttribute("aria-pressed") !== "true");
    frame();
  }

  function below(step) {
    // The tile of the next row (or the one before) that is nearest in the direction across.
    const here = document.activeElement.getBoundingClientRect(), x = here.left + here.width / 2;
    let best = null, least = Infinity;
    for (const tile of tiles) {
      const box = tile.getBoundingClientRect(), away = (box.top - here.top) * step;
      if (away < here.height / 2) continue;
      const cost = away * 1000 + Math.abs(box.left + box.width / 2 - x);
      if (cost < least) { least = cost; best = tile; }
    }
    return best;
  }

  tiles.forEach((tile, index) => tile.addEventListener("click", () => {
    show(index);
    dialog.showModal();
  }));
  dialog.addEventListener("close", () => {
    document.body.append(byId("said"));
    tiles[at].focus();
  });
  byId("back").addEventListener("click", () => show(at - 1));
  byId("next").addEventListener("click", () => show(at + 1));
  byId("close").addEventListener("click", () => dialog.close());
  byId("lines").addEventListener("click", (event) => press(event.currentTarget));
  byId("zoom").addEventListener("click", (event) => press(event.currentTarget));
  byId("take").addEventListener("click", () => copied(tiles[at].dataset.command));
  stage.addEventListener("click", (event) => { if (event.target === stage) dialog.close(); });
  let touched = null;
  stage.addEventListener("touchstart", (event) => {
    touched = event.touches.length === 1 ? event.touches[0].clientX : null;
  }, { passive: true });
  stage.addEventListener("touchend", (event) => {
    const moved = touched === null ? 0 : event.changedTouches[0].clientX - touched;
    if (Math.abs(moved) > 48) show(moved < 0 ? at + 1 : at - 1);
    touched = null;
  });
  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", () => copied(button.title));
  }

  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const key = event.key;
    if (dialog.open) {
      const moves = { ArrowLeft: at - 1, ArrowUp: at - 1, ArrowRight: at + 1, ArrowDown: at + 1,
        Home: 0, End: tiles.length - 1 };
      if (key in moves) show(moves[key]);
      else if (key === "o") press(byId("lines"));
      else if (key === "z") press(byId("zoom"));
      else if (key === "c") copied(tiles[at].dataset.command);
      else return;
    } else {
      const index = tiles.indexOf(document.activeElement);
      if (index < 0) return;
      const moves = { ArrowLeft: tiles[index - 1], ArrowRight: tiles[index + 1], Home: tiles[0],
        End: tiles[tiles.length - 1] };
      const to = key in moves ? moves[key]
        : key === "ArrowDown" ? below(1) : key === "ArrowUp" ? below(-1) : undefined;
      if (to === undefined) return;
      if (to) to.focus();
    }
    event.preventDefault();
  });
})();
