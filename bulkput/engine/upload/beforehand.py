"""What a run asks the store before its first object: where the objects will be, and what would come of the upload."""

from bulkput import events as ev
from bulkput.activity import doing
from bulkput.engine.upload.assembly import Context
from bulkput.errors import Stopped, StoreError
from bulkput.stores.base import Store


async def has_told_place(context: Context, store: Store) -> bool:
    """Tell where the objects will be. False if the run is being stopped: the login has failed, and would fail again.
    Any other look that fails is no failure of the run."""
    urls = store.powers.urls
    if urls is None:
        context.emit(ev.Warned("the URLs of the objects are not known: this kind of store has none"))
        return True
    base = None
    try:
        with doing("asking where the objects will be"):
            base = await urls.base()
            is_public = await urls.is_public()
    except Stopped:
        return False
    except StoreError as error:
        if error.is_of_login:
            context.stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))
            return False
        context.emit(ev.Warned(f"it is not known who may read the objects: {error}"))
        is_public = False
    if base is not None:
        context.emit(ev.Place(base, is_public))
    return True


async def is_rehearsed(context: Context, store: Store) -> bool:
    """Whether the upload would begin, as far as the store can tell. If it would not, the run is being stopped as that
    would be. A store that does not answer hides nothing of the plan."""
    if store.powers.rehearse is None:
        return True
    try:
        with doing("asking whether the upload would begin"):
            await store.powers.rehearse()
    except Stopped:
        return False
    except StoreError as error:
        if error.stops_run:
            context.stop.pull(ev.Stopping(str(error), ev.StopCause.STORE))
            return False
        context.emit(ev.Warned(f"it is not known whether the upload would begin: {error}"))
    return True
