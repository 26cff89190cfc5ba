// What anywidget asks of a model (https://anywidget.dev/en/afm): get, set, save_changes, on, off, send.
// Here it is a widget in Python, by the function `to_python`, and the page shows the widget's module.
async ([code, state]) => {
  const module = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const values = {}, listeners = [], changed = new Set();
  const fire = (event, ...given) => listeners.filter((l) => l[0] === event).forEach((l) => l[1](...given));
  const take = (state) => {
    const before = { ...values };
    for (const [name, value] of Object.entries(state)) values[name] = name === "picture" ? bytes(value) : value;
    for (const name of Object.keys(state)) {
      if (JSON.stringify(before[name]) !== JSON.stringify(values[name])) fire(`change:${name}`);
    }
  };
  const answer = ({ state, messages }) => {
    take(state);
    for (const [content, buffers] of messages) fire("msg:custom", content, buffers.map(bytes));
  };
  const model = {
    get: (name) => values[name],
    set: (name, value) => { values[name] = value; changed.add(name); },
    save_changes: async () => {
      const sent = Object.fromEntries([...changed].map((name) => [name, values[name]]));
      changed.clear();
      answer(await window.to_python({ set: sent }));
    },
    send: async (content) => answer(await window.to_python({ message: content })),
    on: (event, listener) => listeners.push([event, listener]),
    off: (event, listener) => listeners.splice(listeners.findIndex((l) => l[0] === event && l[1] === listener), 1),
  };
  window.take = take;
  take(state);
  await module.default.render({ model, el: document.getElementById("cell") });
}
