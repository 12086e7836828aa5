// Acts on what the page shows: each button asks once more, says what will happen, and sends what
// was shown with it, so that nothing is done to something else. Commands are copied.
"use strict";

(() => {
  const dialog = document.querySelector("dialog.confirm");
  const outcome = document.querySelector(".outcome");
  const sure = dialog.querySelector("[data-sure]");
  let wanted = null;

  function say(words, isDone) {
    outcome.hidden = false;
    outcome.classList.toggle("refused", !isDone);
    outcome.querySelector("span").textContent = words;
  }

  function ask(button) {
    const region = button.closest("[data-shown]");
    const choice = button.closest(".choice")?.querySelector("select");
    const about = choice ? choice.value : button.dataset.about;
    const name = choice ? choice.selectedOptions[0].textContent : button.dataset.name;
    const { deploy, release, epoch, name: version } = region.dataset;
    wanted = { act: button.dataset.act, about, shown: { deploy, release, epoch: Number(epoch) } };
    const label = button.textContent;
    dialog.querySelector("h2").textContent = about ? `${label} ${name}?` : `${label}?`;
    dialog.querySelector("[data-what]").textContent = button.dataset.says.replace("{}", name);
    const under = deploy ? `deploy ${deploy} under way` : "no deploy under way";
    dialog.querySelector("[data-on]").textContent =
      `Shown: ${version || "no version"} in epoch ${epoch}, ${under}. If that changes first, nothing is done.`;
    sure.textContent = label;
    dialog.showModal();
  }

  async function act(request) {
    say(`${request.act}: asked for`, true);
    try {
      const answer = await fetch("act", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(request),
        cache: "no-store",
      });
      const { done, error } = await answer.json();
      say(`${request.act}: ${answer.ok ? done : `nothing was done: ${error}`}`, answer.ok);
    } catch {
      say(`${request.act}: no answer came; look whether it was done`, false);
    }
  }

  async function copy(button) {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      say(`copied: ${button.dataset.copy}`, true);
    } catch {
      say(`this browser does not copy: ${button.dataset.copy}`, false);
    }
  }

  document.addEventListener("click", ({ target }) => {
    const button = target.closest?.("button");
    if (button?.dataset.act) ask(button);
    else if (button?.dataset.copy) copy(button);
  });
  outcome.querySelector("[data-leave]").addEventListener("click", () => {
    outcome.hidden = true;
  });
  dialog.querySelector("[data-not]").addEventListener("click", () => dialog.close());
  sure.addEventListener("click", () => {
    const request = wanted;
    dialog.close();
    wanted = null;
    if (request) act(request);
  });
})();
