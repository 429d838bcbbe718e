// Solves Altcha's challenge (version 2, PBKDF2) before a sign-up is sent, where the site asks for one: while very many
// people sign up at once. Without this script, or where anything goes wrong, the form is sent as it is.
"use strict";

const LONGEST_MS = 20000;

const bytesOf = (hex) => Uint8Array.from(hex.match(/../g) || [], (pair) => parseInt(pair, 16));
const hexOf = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

async function derive(parameters, nonce, salt, counter) {
  const password = new Uint8Array(nonce.length + 4);
  password.set(nonce);
  new DataView(password.buffer).setUint32(nonce.length, counter);
  const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
  const how = { name: "PBKDF2", hash: parameters.algorithm.replace("PBKDF2/", ""), salt, iterations: parameters.cost };
  return hexOf(await crypto.subtle.deriveBits(how, key, parameters.keyLength * 8));
}

async function solve(challenge) {
  const { parameters } = challenge;
  const nonce = bytesOf(parameters.nonce);
  const salt = bytesOf(parameters.salt);
  const started = performance.now();
  for (let counter = 0; performance.now() - started < LONGEST_MS; counter += 8) {
    const tries = await Promise.all(
      Array.from({ length: 8 }, (_, step) => derive(parameters, nonce, salt, counter + step)),
    );
    const step = tries.findIndex((found) => found.startsWith(parameters.keyPrefix));
    if (step >= 0) {
      const solution = { counter: counter + step, derivedKey: tries[step] };
      return btoa(JSON.stringify({ challenge, solution }));
    }
  }
  return "";
}

async function proveThenSend(form, button) {
  try {
    const answer = await fetch(form.dataset.challenge, { headers: { Accept: "application/json" } });
    const { challenge } = await answer.json();
    if (challenge) {
      const status = form.querySelector("[data-proof-status]");
      if (status) status.textContent = status.dataset.busy;
      form.elements.altcha.value = await solve(challenge);
    }
  } catch {
    // The site takes the request without a proof as well.
  }
  form.dataset.proven = "1";
  form.requestSubmit(button);
}

for (const form of document.querySelectorAll("form[data-challenge]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.proven) return;
    event.preventDefault();
    if (form.dataset.proving) return;
    form.dataset.proving = "1";
    proveThenSend(form, event.submitter);
  });
}
// Back from the next page, the form starts afresh.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-challenge]")) {
    delete form.dataset.proven;
    delete form.dataset.proving;
  }
});
