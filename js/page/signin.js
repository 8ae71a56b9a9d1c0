/** The form that asks for a token where the address had none, or a spent one. */

import { h } from "./dom.js";

export class SignIn {
  /** @param dialog element  @param onToken (token) => void */
  constructor(dialog, onToken) {
    this.dialog = dialog;
    this.sentence = h("p", { class: "sentence", role: "alert" });
    this.input = h("input", { id: "token", name: "token", autocomplete: "off", spellcheck: "false", required: true });
    const send = (event) => {
      event.preventDefault();
      const token = tokenOf(this.input.value);
      if (token) onToken(token);
    };
    const how = h("p", {}, "Or paste that address, or its token, here. Each is good for one sign-in.");
    const label = h("label", { for: "token" }, "Address or token");
    const row = h("div", { class: "line" }, this.input, h("button", { type: "submit" }, "Sign in"));
    dialog.replaceChildren(h("form", { onsubmit: send }, h("h1", {}, "Sign in"), this.sentence, how, label, row));
    dialog.addEventListener("cancel", (event) => event.preventDefault());
  }

  ask(sentence) {
    this.sentence.replaceChildren(...sentence.split("`").map((part, i) => (i % 2 ? h("code", {}, part) : part)));
    if (this.dialog.open) return;
    this.dialog.showModal();
    this.input.focus();
  }

  done() {
    this.input.value = "";
    if (this.dialog.open) this.dialog.close();
  }
}

/** The token in what was pasted: an address with `#token=…`, or the token itself. */
export function tokenOf(text) {
  const match = /[#&]token=([^&\s]+)/.exec(text);
  return match ? decodeURIComponent(match[1]) : text.trim();
}
