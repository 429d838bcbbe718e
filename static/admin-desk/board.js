// The send board looks again by itself while mail is leaving. Without this file it is looked at by reloading.
"use strict";

(() => {
  const look = async () => {
    const board = document.getElementById("board");
    const seconds = Number(board?.dataset.live);
    if (!seconds) return;
    // Whoever is about to press something is not to have it taken away.
    if (!document.hidden && !board.contains(document.activeElement)) {
      try {
        const answer = await fetch(window.location.href);
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("board");
        if (answer.ok && fresh) board.replaceWith(fresh);
      } catch {
        // The next look may find the site again.
      }
    }
    setTimeout(look, seconds * 1000);
  };
  setTimeout(look, 10_000);
})();
