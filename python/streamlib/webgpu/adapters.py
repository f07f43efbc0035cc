"""Where it begins: `gpu`, which gives adapters."""

from __future__ import annotations

from functools import partial

from .. import _logs, _native
from .._native import Adapter
from ..errors import NoAdapterError
from .promise import Promise

__all__ = ["GPU", "gpu"]


class GPU:
    """What there is to compute on."""

    wgsl_language_features: frozenset[str] = frozenset()
    """What WGSL may use beyond its core."""

    def request_adapter_sync(
        self,
        *,
        feature_level: str = "core",
        power_preference: str | None = None,
        force_fallback_adapter: bool = False,
        canvas: object = None,
    ) -> Adapter:
        """Find the adapter that suits best; if the GPU is open already, the one that it is on.

        `power_preference` is `"high-performance"` or `"low-power"`, which takes an integrated GPU before others.
        `force_fallback_adapter` takes one that computes on the CPU. `feature_level` and `canvas` change nothing: every adapter has the
        core, and windows are the display's. Raises `streamlib.NoAdapterError` if there is none.
        """
        if feature_level not in {"core", "compatibility"}:
            raise ValueError(f"argument 'feature_level': expected 'core' or 'compatibility', got {feature_level!r}")
        if power_preference not in {None, "high-performance", "low-power"}:
            raise ValueError(f"argument 'power_preference': expected 'high-performance' or 'low-power', got {power_preference!r}")
        adapters = self.enumerate_adapters_sync()
        if force_fallback_adapter:
            adapters = [adapter for adapter in adapters if adapter.info["is_fallback_adapter"]]
        if power_preference == "low-power":
            adapters.sort(key=lambda adapter: adapter.info["adapter_type"] != "IntegratedGPU")
        if not adapters:
            raise NoAdapterError("no adapter computes on the CPU, or the GPU is open on another: install Mesa's Vulkan driver")
        return adapters[0]

    def request_adapter_async(
        self,
        *,
        feature_level: str = "core",
        power_preference: str | None = None,
        force_fallback_adapter: bool = False,
        canvas: object = None,
    ) -> Promise[Adapter]:
        """Do the same, to be awaited."""
        return Promise(
            partial(
                self.request_adapter_sync,
                feature_level=feature_level,
                power_preference=power_preference,
                force_fallback_adapter=force_fallback_adapter,
                canvas=canvas,
            )
        )

    def enumerate_adapters_sync(self) -> list[Adapter]:
        """Find all adapters that can serve, the best first; if the GPU is open, the one that it is on."""
        _logs.begin()
        return _native.adapters()

    def enumerate_adapters_async(self) -> Promise[list[Adapter]]:
        """Do the same, to be awaited."""
        return Promise(self.enumerate_adapters_sync)


gpu = GPU()
