// Says 2 minutes before the end that the page is about to close, and extends the session without loading the page
// again. Without this script the button works as an ordinary form.
(() => {
  "use strict";
  const box = document.getElementById("session-box");
  const status = document.getElementById("session-status");
  const shown = document.getElementById("session-end");
  const form = document.getElementById("extend");
  const warnBefore = 2 * 60 * 1000;
  let timers = [];

  const schedule = (endsAt) => {
    timers.forEach(window.clearTimeout);
    const left = endsAt.getTime() - Date.now();
    timers = [
      window.setTimeout(() => { status.textContent = box.dataset.warning; }, Math.max(0, left - warnBefore)),
      window.setTimeout(() => { status.textContent = box.dataset.ended; }, Math.max(0, left)),
    ];
  };

  const showEnd = (endsAt) => {
    const time = endsAt.toLocaleTimeString(document.documentElement.lang, {
      hour: "2-digit", minute: "2-digit", hour12: false, timeZone: "Europe/Berlin",
    });
    shown.textContent = document.documentElement.lang === "de" ? `${time} Uhr` : time;
    status.textContent = "";
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        headers: { Accept: "application/json" },
      });
      if (!answer.ok || answer.redirected) {
        throw new Error("not extended");
      }
      const endsAt = new Date((await answer.json()).ends_at);
      showEnd(endsAt);
      schedule(endsAt);
    } catch {
      form.submit();
    }
  });

  schedule(new Date(box.dataset.endsAt));
})();
