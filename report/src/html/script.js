"use strict";
const form = document.getElementById("filter");
const search = document.getElementById("search");
const boxes = [...form.querySelectorAll("input[type=checkbox]")];
const items = [...document.querySelectorAll(".change")];
const words = items.map((item) => item.textContent.toLowerCase());
function filter() {
  const wanted = search.value.trim().toLowerCase();
  const classes = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  let shown = 0;
  items.forEach((item, at) => {
    item.hidden = !(classes.has(item.dataset.class) && words[at].includes(wanted));
    shown += item.hidden ? 0 : 1;
  });
  document.getElementById("shown").textContent = `${shown} / ${items.length}`;
}
function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) {
    target.hidden = false;
    target.open = true;
    target.scrollIntoView();
  }
}
form.hidden = false;
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== search) {
    event.preventDefault();
    search.focus();
  }
});
addEventListener("hashchange", open);
filter();
open();
