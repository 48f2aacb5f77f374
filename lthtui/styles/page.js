// Keys go to the app without a click before: its terminal, made by textual.js, takes the focus.
new MutationObserver(() => {
  const keys = document.querySelector(".xterm-helper-textarea");
  if (keys) keys.focus();
}).observe(document.body, { attributeFilter: ["class"] });

// A session that failed says so: the server closes it with a reason.
window.WebSocket = class extends WebSocket {
  constructor(...where) {
    super(...where);
    this.addEventListener("close", (event) => {
      if (event.reason) document.querySelector(".closed span").textContent = event.reason;
    });
  }
};
