"use strict";
// Finds places in the lessons by words. Everything that it shows stands in the page as data; it asks no server, and the page is whole
// without it.
(() => {
  const places = JSON.parse(document.getElementById("places").textContent);
  const box = document.getElementById("search");
  const field = document.getElementById("words");
  const list = document.getElementById("found");
  const said = document.getElementById("said");
  const MOST = 40;
  const folded = (text) => text.toLowerCase();
  const all = places.map(([page, title, spots]) => spots.map(([at, heading, words]) => ({
    href: at ? page + "#" + at : page,
    title, heading,
    near: folded(title + " " + heading),
    far: " " + words,
  }))).flat();

  const worth = (place, wanted) => {
    let sum = 0;
    for (const word of wanted) {
      if (place.near.includes(word)) sum += 10;
      else if (place.far.includes(" " + word)) sum += 3;
      else if (place.far.includes(word)) sum += 1;
      else return 0;
    }
    return sum;
  };

  const find = () => {
    const wanted = folded(field.value).split(/\s+/).filter((word) => word.length > 1);
    const hits = wanted.length ? all.map((place, number) => [worth(place, wanted), number]).filter(([sum]) => sum) : [];
    hits.sort((a, b) => b[0] - a[0] || a[1] - b[1]);
    list.replaceChildren(...hits.slice(0, MOST).map(([, number]) => {
      const place = all[number];
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = place.href;
      link.textContent = place.heading || place.title;
      item.append(link);
      if (place.heading) item.append(" \u2013 " + place.title);
      return item;
    }));
    const count = hits.length === 1 ? "1 place" : hits.length + " places";
    said.textContent = wanted.length ? count + (hits.length > MOST ? ", the best " + MOST + " are shown" : "") : "";
  };

  box.hidden = false;
  field.addEventListener("input", find);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      field.value = "";
      find();
    }
  });
  if (field.value) find();
})();
