// The styles of the model, as thumbnails where there are pictures and as words where there are none.

export const thumbnail = (model, index) => `static/styles/${encodeURIComponent(model)}-${index}.png`;

export function fillStyles(box, model, names, choose) {
  box.replaceChildren(...names.map((name, index) => {
    const button = document.createElement('button');
    const label = Object.assign(document.createElement('span'), { textContent: name });
    const picture = Object.assign(new Image(), { alt: '', decoding: 'async' });
    picture.onerror = () => { picture.remove(); button.classList.add('chip'); };
    picture.src = thumbnail(model, index);
    if (index < 9) {
      button.title = `${name} (${index + 1})`;
      button.setAttribute('aria-keyshortcuts', String(index + 1));
    }
    button.append(picture, label);
    button.onclick = () => choose(index);
    return button;
  }));
}

export function markStyle(box, chosen) {
  [...box.children].forEach((button, index) => button.setAttribute('aria-pressed', String(index === chosen)));
}
