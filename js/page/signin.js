/** The form that asks who it is: by name and password, or by the address that `sisock up` or `sisock link` printed. */

import { h } from "./dom.js";

export class SignIn {
  /** @param dialog element  @param onGiven (token, or {name, password}) => void */
  constructor(dialog, onGiven) {
    this.dialog = dialog;
    this.sentence = h("p", { class: "sentence", role: "alert" });
    this.name = input("name", { autocomplete: "username", autocapitalize: "off" });
    this.password = input("password", { type: "password", autocomplete: "current-password" });
    this.token = input("token", { autocomplete: "off" });
    const person = form("person", () => onGiven({ name: this.name.value.trim(), password: this.password.value }), [
      ...labelled("Name", this.name),
      ...labelled("Password", this.password),
      h("button", { type: "submit" }, "Sign in"),
    ]);
    const link = form("link", () => onGiven(tokenOf(this.token.value)), [
      ...labelled("Or paste an address that sisock link printed; it is good for one sign-in", this.token),
      h("button", { type: "submit" }, "Open"),
    ]);
    dialog.replaceChildren(h("h1", {}, "Sign in"), this.sentence, person, link);
    dialog.addEventListener("cancel", (event) => event.preventDefault());
  }

  ask(sentence) {
    this.sentence.replaceChildren(...sentence.split("`").map((part, i) => (i % 2 ? h("code", {}, part) : part)));
    this.password.value = this.token.value = "";
    if (!this.dialog.open) this.dialog.showModal();
    (this.name.value ? this.password : this.name).focus();
  }

  done() {
    this.password.value = this.token.value = "";
    if (this.dialog.open) this.dialog.close();
  }
}

/** The token in what was pasted: an address with `#token=…`, or the token itself. */
export function tokenOf(text) {
  const match = /[#&]token=([^&\s]+)/.exec(text);
  return match ? decodeURIComponent(match[1]) : text.trim();
}

function input(name, more) {
  return h("input", { id: name, name, spellcheck: "false", required: true, ...more });
}

function labelled(text, element) {
  return [h("label", { for: element.id }, text), element];
}

function form(name, send, children) {
  const onsubmit = (event) => {
    event.preventDefault();
    send();
  };
  return h("form", { class: name, onsubmit }, ...children);
}
