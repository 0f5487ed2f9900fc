"""The contexts that turn recording on and off, as decorators."""

import functools
import inspect

from gotorch._C import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = ["decorate", "enable_grad", "inference_mode", "no_grad", "set_grad_enabled"]


def decorate(context, function):
    """`function` with every call inside a fresh copy of `context`."""
    if inspect.isclass(function):
        function.__init__ = decorate(context, function.__init__)
        return function
    if inspect.isgeneratorfunction(function):
        return _decorate_generator(context, function)

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        with context.clone():
            return function(*args, **kwargs)

    return wrapper


def _decorate_generator(context, function):
    """The context holds while the generator runs, and not between its steps."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        with context.clone():
            generator = function(*args, **kwargs)
        sent, error = None, None
        while True:
            try:
                with context.clone():
                    value = generator.throw(error) if error else generator.send(sent)
            except StopIteration as stop:
                return stop.value
            sent, error = None, None
            try:
                sent = yield value
            except GeneratorExit:
                with context.clone():
                    generator.close()
                raise
            except BaseException as raised:
                error = raised

    return wrapper
