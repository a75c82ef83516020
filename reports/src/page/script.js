// Sorting and filtering of the table of cases. The page says the same without it.
"use strict";
(() => {
  const table = document.getElementById("cases");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const headers = [...table.tHead.rows[0].cells];
  const name = (column) => headers[column].textContent;

  // A reason spans the columns of the numbers that it explains the lack of.
  const cellAt = (row, column) => {
    let last = -1;
    return [...row.cells].find((cell) => (last += cell.colSpan) >= column);
  };
  const valueAt = (row, column) => {
    const cell = cellAt(row, column);
    return cell.dataset.value ?? cell.textContent;
  };
  const sortKey = (row, column) => {
    const value = valueAt(row, column);
    return value === "" ? null : headers[column].className || name(column) === "Shape" ? Number(value) : value;
  };

  // A case without a number comes last in either direction.
  const sortBy = (column) => {
    const descending = headers[column].getAttribute("aria-sort") === "ascending";
    const sign = descending ? -1 : 1;
    const order = (a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null);
      return sign * (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
    };
    const keyed = rows.map((row) => ({ row, key: sortKey(row, column) }));
    body.append(...keyed.sort(order).map(({ row }) => row));
    headers.forEach((header) => header.removeAttribute("aria-sort"));
    headers[column].setAttribute("aria-sort", descending ? "descending" : "ascending");
  };

  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    button.addEventListener("click", () => sortBy(column));
    header.replaceChildren(button);
  });

  const filters = document.getElementById("filters");
  const field = (label, control) => {
    const wrapper = document.createElement("label");
    wrapper.append(label, control);
    filters.append(wrapper);
    control.addEventListener("input", apply);
    return control;
  };
  const text = field("Search", Object.assign(document.createElement("input"), { type: "search" }));
  const selects = [];
  for (const column of [0, 1, 3, 4, 5, 6]) {
    const words = [...new Set(rows.map((row) => valueAt(row, column)))].sort();
    if (words.length < 2) continue;
    const select = document.createElement("select");
    select.append(new Option("all", ""), ...words.map((w) => new Option(w, w)));
    selects.push({ column, select: field(name(column), select) });
  }
  const count = document.createElement("output");
  filters.append(count);
  filters.hidden = false;

  function apply() {
    const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const all = (row.dataset.case + " " + row.textContent).toLowerCase();
      const matches =
        wanted.every((part) => all.includes(part)) &&
        selects.every(({ column, select }) => !select.value || valueAt(row, column) === select.value);
      row.hidden = !matches;
      shown += matches;
    }
    count.textContent = `${shown} of ${rows.length} shown`;
  }
  apply();

  // A link to the samples of a case unfolds them.
  const unfold = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") {
      target.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", unfold);
  unfold();
})();
