// The form that edits a world by its labels, and the list of edits there are.

const ERASED = '';
const option = (text, value) => new Option(text, value);

export class Edits {
  #now = { classes: {}, instances: {}, erased: [] };
  #shown = '';

  /** subject, target: selects; list: ul; ask(wish): sends what is to be changed. */
  constructor(subject, target, list, ask) {
    Object.assign(this, { subject, target, list, ask });
    subject.form.onsubmit = (event) => { event.preventDefault(); this.#apply(); };
  }

  classes(names) {
    this.subject.replaceChildren(...names.map((name) => option(`every ${name}`, name)));
    this.target.replaceChildren(...names.map((name) => option(name, name)), option('nothing (erase)', ERASED));
  }

  /** found: {class, instance} of what was clicked. */
  choose(found) {
    this.subject.querySelector('[data-instance]')?.remove();
    if (found.instance) {
      const one = option(`this ${found.class} (${found.instance})`, found.class);
      one.dataset.instance = found.instance;
      this.subject.prepend(one);
      this.subject.selectedIndex = 0;
    } else {
      this.subject.value = found.class;
    }
  }

  /** now: what is edited, as the server says. */
  show({ edits }) {
    this.#now = edits;
    const text = JSON.stringify(edits);
    if (text === this.#shown) return;
    this.#shown = text;
    const rows = [
      ...Object.entries(edits.classes).map(([from, to]) => [`every ${from} is ${to}`, () => delete edits.classes[from]]),
      ...Object.entries(edits.instances).map(([id, to]) => [`${id} is ${to}`, () => delete edits.instances[id]]),
      ...edits.erased.map((name) => [`no ${name}`, () => { edits.erased = edits.erased.filter((other) => other !== name); }]),
    ];
    this.list.replaceChildren(...rows.map(([label, undo]) => {
      const item = Object.assign(document.createElement('li'), { textContent: label });
      const button = Object.assign(document.createElement('button'), { textContent: 'Undo', type: 'button' });
      button.setAttribute('aria-label', `Undo: ${label}`);
      button.onclick = () => { undo(); this.ask({ edits }); };
      item.append(button);
      return item;
    }));
  }

  #apply() {
    const { classes, instances, erased } = structuredClone(this.#now);
    const subject = this.subject.selectedOptions[0];
    const { value: name, dataset: { instance } } = subject;
    const to = this.target.value;
    if (to === ERASED) {
      delete classes[name];
      this.ask({ edits: { classes, instances, erased: [...new Set([...erased, name])] } });
      return;
    }
    if (instance) instances[instance] = to;
    else if (to === name) delete classes[name];
    else classes[name] = to;
    this.ask({ edits: { classes, instances, erased: erased.filter((other) => other !== name || instance) } });
  }
}
