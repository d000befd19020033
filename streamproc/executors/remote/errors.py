"""How asking a server can fail, divided by what can be done about it."""


class RemoteError(Exception):
    """Asking the server failed."""


class BusyError(RemoteError):
    """It could not be asked, or had no time: asking again, or elsewhere, may help."""


class SlowError(RemoteError):
    """No answer came in time."""


class WrongError(RemoteError):
    """It answered, but what the protocol or the model's description does not allow: asking again does not help."""


class RefusedError(RemoteError):
    """It says that this request is at fault: its rows are looked at one by one."""


class FailedError(RefusedError):
    """It failed on this request: the request may be at fault, or the server; where it goes on the server is."""
