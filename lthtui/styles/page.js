// Keys go to the app without a click before: its terminal, made by textual.js, takes the focus.
new MutationObserver(() => {
  const keys = document.querySelector(".xterm-helper-textarea");
  if (keys) keys.focus();
}).observe(document.body, { attributeFilter: ["class"] });
