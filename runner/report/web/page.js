"use strict";
(async () => {
  const ROW = 28, AROUND = 12, PRINTED = 2000;
  const $ = (id) => document.getElementById(id);
  const box = $("servers"), count = $("count"), filter = $("filter"), chosen = $("outcome");
  let data;
  try {
    const bytes = Uint8Array.from(atob($("data").textContent), (c) => c.charCodeAt(0));
    data = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  } catch (error) {
    count.textContent = "This browser cannot unpack the servers: only the first abnormal ones are shown.";
    return;
  }
  const rows = data.rows, columns = data.columns, shown = columns.filter((column) => column.shown);
  for (const column of columns) column.lower = column.values.map((value) => value.toLowerCase());
  const place = (column, row) => column.of ? column.of[row] : row;
  const outcome = columns.find((column) => column.name === "outcome");
  let order = Uint32Array.from({ length: rows }, (_, row) => row), found = order, sorted = null, descending = false;

  // A word is looked for in every column; name=value is the whole value of one.
  function hitsOf(word) {
    const [name, ...rest] = word.split("="), value = rest.join("=");
    const named = rest.length ? columns.filter((column) => column.name.toLowerCase() === name) : [];
    const test = named.length ? (text) => text === value : (text) => text.includes(word);
    const hits = (named.length ? named : columns).map((column) => {
      const flags = Uint8Array.from(column.lower, (text) => test(text) ? 1 : 0);
      return flags.includes(1) ? [column, flags] : null;
    });
    return hits.filter(Boolean);
  }

  function select() {
    const words = (filter.value.toLowerCase().match(/[^\s="]*="[^"]*"|\S+/g) || []).map((word) => word.replaceAll('"', ""));
    const hits = words.map(hitsOf);
    const only = chosen.value ? outcome.values.indexOf(chosen.value) : -1;
    const passes = (row) => (only < 0 || place(outcome, row) === only) &&
      hits.every((columnsHit) => columnsHit.some(([column, flags]) => flags[place(column, row)]));
    found = hits.length || only >= 0 ? order.filter(passes) : order;
    count.textContent = `${found.length.toLocaleString("en")} of ${rows.toLocaleString("en")} servers`;
    box.scrollTop = 0;
    table.setAttribute("aria-rowcount", found.length + 1);
    draw(true);
  }

  function sort(column) {
    descending = sorted === column && !descending;
    sorted = column;
    const collator = new Intl.Collator("en", { numeric: true });
    const ranks = new Uint32Array(column.values.length), sign = descending ? -1 : 1;
    Array.from(column.values.keys()).sort((a, b) => collator.compare(column.values[a], column.values[b]))
      .forEach((value, rank) => { ranks[value] = rank; });
    order.sort((a, b) => sign * (ranks[place(column, a)] - ranks[place(column, b)]) || a - b);
    for (const one of shown) {
      one.head.setAttribute("aria-sort", one === column ? (descending ? "descending" : "ascending") : "none");
    }
    select();
  }

  const table = document.createElement("table"), group = document.createElement("colgroup");
  const head = table.createTHead().insertRow(), body = document.createElement("tbody");
  table.prepend(group);
  table.append(body);
  for (const column of shown) {
    const longest = column.values.reduce((most, value) => Math.max(most, value.length), column.name.length + 2);
    const width = document.createElement("col"), cell = document.createElement("th"), button = document.createElement("button");
    width.style.width = `${Math.min(longest, 90) * 7.2 + 24}px`;
    group.append(width);
    column.head = cell;
    cell.scope = "col";
    cell.setAttribute("aria-sort", "none");
    button.type = "button";
    button.textContent = column.name;
    button.addEventListener("click", () => sort(column));
    cell.append(button);
    head.append(cell);
  }
  head.setAttribute("aria-rowindex", 1);
  box.classList.remove("plain");
  box.replaceChildren(table);

  function spacer(height) {
    const row = document.createElement("tr"), cell = row.insertCell();
    row.className = "pad";
    row.setAttribute("aria-hidden", "true");
    cell.colSpan = shown.length;
    cell.style.height = `${height}px`;
    return row;
  }

  function rowAt(index) {
    const row = document.createElement("tr");
    row.setAttribute("aria-rowindex", index + 2);
    for (const column of shown) {
      const cell = row.insertCell();
      cell.textContent = column.values[place(column, found[index])];
      if (cell.textContent.length > 90) cell.title = cell.textContent;
    }
    return row;
  }

  let first = -1, last = -1, printing = false;
  function draw(anew) {
    if (printing) return;
    const from = Math.max(0, Math.floor(box.scrollTop / ROW) - AROUND);
    const to = Math.min(found.length, Math.ceil((box.scrollTop + box.clientHeight) / ROW) + AROUND);
    if (anew !== true && from === first && to === last) return;
    [first, last] = [from, to];
    const drawn = Array.from({ length: to - from }, (_, index) => rowAt(from + index));
    body.replaceChildren(spacer(from * ROW), ...drawn, spacer((found.length - to) * ROW));
  }

  let asked = 0;
  box.addEventListener("scroll", () => { cancelAnimationFrame(asked); asked = requestAnimationFrame(draw); });
  new ResizeObserver(draw).observe(box);
  filter.addEventListener("input", select);
  chosen.addEventListener("change", select);
  addEventListener("beforeprint", () => {
    printing = true;
    const printed = Math.min(found.length, PRINTED);
    body.replaceChildren(...Array.from({ length: printed }, (_, index) => rowAt(index)));
    if (printed < found.length) count.textContent += `; the first ${PRINTED.toLocaleString("en")} are printed`;
  });
  addEventListener("afterprint", () => { printing = false; select(); });
  for (const value of outcome.values) chosen.append(new Option(value, value));
  $("tools").hidden = false;
  select();
  document.documentElement.dataset.ready = "yes";
})();
