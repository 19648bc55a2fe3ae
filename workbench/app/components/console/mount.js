// How Streamlit mounts a page of this kind: one object on the window owns it, whatever is drawn anew around it.

// `name`: where the object lives on the window. `Page`: made from `data` for a person; has data, turn, mount, unmount.
function mounted(name, Page) {
  return ({ parentElement, data }) => {
    const known = window[name];
    if (!known || known.data.person !== data.person) {
      known?.unmount();
      window[name] = new Page(data);
    }
    const page = window[name];
    const turn = page.mount(parentElement, data);
    return () => {
      // Streamlit may take a component away and put it back within one redraw, and may end the old one after that.
      setTimeout(() => page.turn === turn && page.unmount(), 100);
    };
  };
}

// Without a connection Streamlit puts a dialog over the page and makes all else inert. The page goes on without one and
// says itself what waits to be sent, so the dialog (hidden by the page's style) is closed for the person.
function closeDialogs() {
  for (const dialog of document.querySelectorAll('[data-testid="stDialog"]')) dialog.querySelector("button")?.click();
}
