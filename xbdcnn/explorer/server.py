"""The server of the explorer app: Voilà, with kernels that end when their page is left.

`python -m xbdcnn.explorer` runs this file as a script, because an import of the package would load
PyTorch into the server, too.
"""

from __future__ import annotations

from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from voila.app import Voila
from voila.tornado.handler import TornadoVoilaHandler


class PageHandler(TornadoVoilaHandler):
    """Sends the page with the cookie `_xsrf`, without which its requests are refused."""

    async def get(self, path: str | None = None) -> None:
        """Send the page."""
        _ = self.xsrf_token  # the property sets the cookie when it is read
        await super().get(path)


class ExplorerKernels(AsyncMappingKernelManager):
    """Ends idle kernels without a page, except preheated ones that wait for their first page.

    A page ends its own kernel when it is left; this is for pages that could not, for instance after
    a crash of the browser. The times are in voila.json.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._waiting: set[str] = set()

    async def start_kernel(self, **options: Any) -> str:
        """Start a kernel, and remember whether Voilà preheats it."""
        kernel_id = await super().start_kernel(**options)
        if options.get("env", {}).get("VOILA_PREHEAT") == "True":
            self._waiting.add(kernel_id)
        return kernel_id

    def notify_connect(self, kernel_id: str) -> None:
        """Register a page of the kernel."""
        self._waiting.discard(kernel_id)
        super().notify_connect(kernel_id)

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End the kernel if it is idle and has no page."""
        if kernel_id not in self._waiting:
            await super().cull_kernel_if_idle(kernel_id)


class ExplorerApp(Voila):
    """Voilà with the two classes above; it reads the settings of Voilà."""

    def init_settings(self) -> dict[str, Any]:
        """Return Voilà's settings, with `ExplorerKernels`."""
        self.voila_configuration.multi_kernel_manager_class = ExplorerKernels
        return super().init_settings()

    def init_handlers(self) -> list[tuple]:
        """Return Voilà's handlers, with `PageHandler` for the page."""
        return [
            (path, PageHandler if handler is TornadoVoilaHandler else handler, *options)
            for path, handler, *options in super().init_handlers()
        ]


if __name__ == "__main__":
    ExplorerApp.launch_instance()
