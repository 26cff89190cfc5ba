// The tab Sheets: drawings of what the data set comes to.
import { ask } from "./api.js";
import { element } from "./lists.js";

const body = document.getElementById("sheets-body"), told = document.getElementById("sheets-told");
let asking = false;

export async function open() {
  if (asking) return;
  asking = true;
  try {
    let answer = await ask("sheets/draw", { anew: true });
    if (!answer.there) {
      told.textContent = "Nothing is labelled here yet: try words, then label the whole folder.";
      return;
    }
    while (!answer.ready) {
      told.textContent = answer.total ? `Counting: ${answer.done} of ${answer.total} …` : "Counting …";
      await new Promise((done) => setTimeout(done, 300));
      answer = await ask("sheets/draw");
    }
    told.textContent = answer.told;
    body.replaceChildren(...answer.sheets.map((sheet) => element("figure", {},
      element("figcaption", {}, sheet.title, element("small", {}, sheet.told)), drawn(sheet.svg, sheet.title))));
  } finally {
    asking = false;
  }
}

function drawn(svg, title) {
  const made = document.importNode(new DOMParser().parseFromString(svg, "image/svg+xml").documentElement, true);
  made.setAttribute("aria-label", title);
  return made;
}
