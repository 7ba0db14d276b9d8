// Browsers start no worker from a file on the disk. There a hidden frame stands in for it, so that the search works
// without a server; where a server serves the pages, nothing here runs.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.appendChild(frame)
      const inside = frame.contentWindow
      window.addEventListener("message", event => {
        if (event.source !== inside) return
        const answer = new MessageEvent("message", {data: event.data})
        this.dispatchEvent(answer)
        if (this.onmessage) this.onmessage(answer)
      })
      this.ready = new Promise(resolve => { inside.begun = resolve })
      inside.document.write(
        "<script>const toParent = parent.postMessage.bind(parent); postMessage = data => toParent(data, '*');" +
        "importScripts = (...names) => names.reduce((last, name) => last.then(() => new Promise(done => {" +
        "const script = document.createElement('script'); script.src = name; script.onload = done;" +
        "document.body.appendChild(script) })), Promise.resolve())<\/script>" +
        `<script src="${url}" onload="begun()"><\/script>`)
      inside.document.close()
      this.inside = inside
    }

    postMessage(data) {
      this.ready.then(() => this.inside.dispatchEvent(new MessageEvent("message", {data})))
    }

    terminate() {}
  }
}
