"use strict";
(() => {
  const FIRST = 24;
  const all = (what, of = document) => [...of.querySelectorAll(what)];

  // tables: a click on a head sorts by it, numbers highest first, a second click turns round; unknown values stay last
  const valued = (row, i) => { const cell = row.cells[i]; return "v" in cell.dataset ? (cell.dataset.v === "" ? NaN : Number(cell.dataset.v)) : cell.textContent; };
  const compared = (a, b) => (typeof a === "string" || typeof b === "string" ? String(a).localeCompare(String(b), "en", { numeric: true }) : a - b);
  const sortBy = (head) => {
    const i = head.cellIndex, body = head.closest("table").tBodies[0], rows = [...body.rows];
    const numeric = rows.some((row) => "v" in row.cells[i].dataset);
    const before = head.getAttribute("aria-sort");
    const up = before ? before === "descending" : !numeric;
    all("th[aria-sort]", head.parentNode).forEach((th) => th.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const known = rows.map((row) => [valued(row, i), row]);
    known.sort(([a], [b]) => (Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : Number.isNaN(b) ? -1 : (up ? 1 : -1) * compared(a, b)));
    body.append(...known.map(([, row]) => row));
  };
  document.addEventListener("click", (event) => {
    const head = event.target.closest("thead th");
    if (head && head.querySelector("button")) sortBy(head);
  });

  const form = document.getElementById("controls");
  if (!form) return;
  const cards = all(".case"), place = document.querySelector(".cards"), more = document.getElementById("more"), said = form.querySelector("output");
  let open = false;
  const chosen = (name) => (form.elements[name] ? form.elements[name].value : "");
  const held = (card, name, between) => !chosen(name) || card.dataset[name].split(between).includes(chosen(name));

  const sorted = () => {
    const key = chosen("sort"), name = key.replace("-", ""), turn = key.startsWith("-") ? -1 : 1;
    if (!key) return cards;
    const value = (card) => (card.dataset[name] === "" ? NaN : turn * Number(card.dataset[name]));
    return [...cards].sort((a, b) => (Number.isNaN(value(a)) ? 1 : 0) - (Number.isNaN(value(b)) ? 1 : 0) || value(a) - value(b) || 0);
  };
  const show = () => {
    const fit = sorted().filter((card) => held(card, "kind", "|") && held(card, "point", " ") && held(card, "slice", " "));
    const shown = open ? fit : fit.slice(0, FIRST);
    cards.forEach((card) => { card.hidden = true; });
    shown.forEach((card) => { card.hidden = false; });
    place.append(...fit);
    more.parentNode.hidden = shown.length === fit.length;
    more.textContent = `Show all ${fit.length}`;
    said.textContent = fit.length === cards.length ? `${cards.length} poses` : `${fit.length} of ${cards.length} poses`;
    document.body.classList.toggle("no-truth", !form.elements.truth.checked);
    document.body.classList.toggle("no-pred", !form.elements.pred.checked);
  };
  form.addEventListener("change", () => { open = false; show(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => { open = true; show(); });

  // a kind or a keypoint in a table leads to its cases
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-kind], a[data-point]");
    if (!link) return;
    ["kind", "point", "slice"].forEach((name) => { if (form.elements[name]) form.elements[name].value = link.dataset[name] || ""; });
    open = false;
    show();
  });
  window.addEventListener("beforeprint", () => cards.forEach((card) => { card.hidden = false; }));
  window.addEventListener("afterprint", show);
  show();
})();
