// The QR code of a letter leads to /why#v=REFERENCE&c=CODE. What stands after # never reaches a server. This script
// writes it into the form and clears the address; sending stays with the person.
(() => {
  "use strict";
  const details = new URLSearchParams(window.location.hash.slice(1));
  const reference = details.get("v");
  const code = details.get("c");
  if (!reference || !code) {
    return;
  }
  window.history.replaceState(null, "", window.location.pathname + window.location.search);
  document.getElementById("reference").value = reference.slice(0, 64);
  document.getElementById("code").value = code.slice(0, 64);
  const filled = document.getElementById("filled");
  filled.textContent = filled.dataset.text;
})();
