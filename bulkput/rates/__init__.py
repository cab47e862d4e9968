"""The service behind `bulkput rate`: it hands out shares of one cap to independent runs.

`policy/shared_cap.py` decides who gets what; here are its HTTP, its timer and its end. `stores/shared_rate.py` is the
client. The protocol, for clients in other languages:

    POST /lease     {"run": "host-123", "objects": 40, "bytes": 655360}
    200             {"objects": 19, "bytes": 655360, "for_s": 0.1, "cap": {"objects_per_s": 200, "bytes_per_s": null}}

* `run` names the run: 1 to 100 letters, digits and `._:-`. Runs with one name share one share.
* `process`, if it is there, is one of several processes of that run: a name as `run`. Each asks for itself, and counts
  as a run where shares are fair. The status has one row for all of them.
* `objects` and `bytes` are whole numbers: what the run would send now and in the next tenth of a second.
* The answer comes when there is something for the run; after a second at the latest, then with zeros. The run may
  send as much within `for_s` seconds, evenly spread, after what an earlier lease still allows. What it does not send is
  lost.
* null: there is no cap on these. A run that asks for 0 and 0 is answered at once, and so learns the cap.
* A run has one ask at a time: a second one takes the place of the first, which gets zeros. It asks again when it has
  the answer and wants more. A run that closes its connection, or does not ask, gets nothing; so a run that dies takes
  nothing from the others.
* Without an answer a run sends nothing: the cap holds.

    GET /           {"cap": {...}, "runs": [{"run", "processes", "wants": {"objects", "bytes"} | null,
                    "last_second": {...}, "total": {...}, "idle_s"}]}

With a token, each request has `Authorization: Bearer TOKEN`; else the answer is 401. A mistake is 400 or 404. Errors
have a sentence: {"error": "..."}.
"""

from bulkput.rates.service import RateService, RateServiceOptions, serve

__all__ = ["RateService", "RateServiceOptions", "serve"]
