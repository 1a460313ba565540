"use strict";
(() => {
  const PAGE = 50;
  const $ = (id) => document.getElementById(id);
  const groups = Array.from(document.querySelectorAll("details.group"));
  let rows = null; // [group, subject, detail, due, haystack]
  const shown = new Map(); // group -> how many rows
  const text = (tag, s, cls) => { const e = document.createElement(tag); e.textContent = s; if (cls) e.className = cls; return e; };

  async function load() {
    const packed = Uint8Array.from(atob($("data").textContent.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    rows = JSON.parse(await new Response(stream).text());
    for (const r of rows) r.push((groups[r[0]].dataset.text + " " + r[1] + " " + r[2]).toLowerCase());
    document.body.dataset.ready = "yes";
  }

  function draw(g, matching) {
    const group = groups[g], body = group.querySelector("tbody"), limit = shown.get(g) || PAGE;
    const fragment = document.createDocumentFragment();
    for (const r of matching.slice(0, limit)) {
      const tr = document.createElement("tr");
      tr.append(text("td", r[1]), text("td", r[3]), text("td", r[2]));
      fragment.append(tr);
    }
    body.replaceChildren(fragment);
    const more = group.querySelector(".more"), left = matching.length - limit;
    more.hidden = left <= 0;
    more.textContent = "Show " + Math.min(left, PAGE) + " more of " + left;
  }

  function apply() {
    if (!rows) return;
    const words = $("q").value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(Array.from(document.querySelectorAll("input[name=show]:checked"), (e) => e.value));
    const by = $("sort").value, per = groups.map(() => []);
    for (const r of rows) if (words.every((w) => r[4].includes(w))) per[r[0]].push(r);
    let count = 0;
    groups.forEach((group, g) => {
      const matching = wanted.has(group.dataset.kind) ? per[g] : [];
      group.hidden = matching.length === 0;
      count += matching.length;
      group.querySelector(".count").textContent = String(matching.length);
      if (by === "subject") matching.sort((a, b) => (a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0));
      if (by === "due") matching.sort((a, b) => ((a[3] || "9") < (b[3] || "9") ? -1 : 1));
      group.matching = matching;
      if (group.open && matching.length) draw(g, matching);
    });
    $("count").textContent = count + " of " + rows.length + " findings";
  }

  groups.forEach((group, g) => {
    group.addEventListener("toggle", () => { if (group.open && group.matching) draw(g, group.matching); });
    group.querySelector(".more").addEventListener("click", () => { shown.set(g, (shown.get(g) || PAGE) + PAGE); draw(g, group.matching); });
  });
  for (const e of document.querySelectorAll(".filters input, .filters select")) e.addEventListener(e.id === "q" ? "input" : "change", () => { shown.clear(); apply(); });
  for (const b of document.querySelectorAll("button.copy")) {
    b.hidden = false;
    b.addEventListener("click", async () => {
      const pre = b.previousElementSibling;
      try { await navigator.clipboard.writeText(pre.textContent); b.textContent = "Copied"; }
      catch { const s = getSelection(); s.selectAllChildren(pre); b.textContent = "Selected"; }
    });
  }
  document.querySelector(".filters").hidden = false;
  load().then(apply);
})();
