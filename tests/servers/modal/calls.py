# SPDX-License-Identifier: Apache-2.0
"""RPCs about functions, as the client sees them (:class:`Calls`) and as a container does (:class:`Work`)."""

from __future__ import annotations

import base64
import collections
import json
import time

from google.protobuf.empty_pb2 import Empty
from grpclib import Status
from modal_proto import api_pb2 as pb

from tests.servers.modal.scheduler import Scheduler
from tests.servers.modal.state import SUCCESS, Call, Function, Input, Result, Task, World, refuse

GPUS = frozenset(
    ["T4", "L4", "A10", "A10G", "L40S", "A100", "A100-40GB", "A100-80GB", "H100", "H100!", "H200", "B200", "B200+"]
)
_HEARTBEAT_S = 10.0


class Calls:
    def __init__(self, world: World, scheduler: Scheduler) -> None:
        self._world, self._scheduler = world, scheduler

    async def FunctionPrecreate(
        self, message: pb.FunctionPrecreateRequest, task: Task | None
    ) -> pb.FunctionPrecreateResponse:
        app = self._world.find(self._world.apps, message.app_id, "App")
        metadata = pb.FunctionHandleMetadata(
            function_name=message.function_name,
            function_type=message.function_type,
            function_schema=message.function_schema,
            supported_input_formats=message.supported_input_formats,
            supported_output_formats=message.supported_output_formats,
            app_id=app.id,
            definition_id=self._world.new_id("de"),
        )
        function = Function(self._world.new_id("fu"), app, message.function_name, metadata)
        self._world.functions[function.id] = app.functions[function.name] = function
        return pb.FunctionPrecreateResponse(function_id=function.id, handle_metadata=metadata)

    async def FunctionCreate(self, message: pb.FunctionCreateRequest, task: Task | None) -> pb.FunctionCreateResponse:
        function: Function = self._world.find(self._world.functions, message.existing_function_id, "Function")
        definition = message.function
        gpu = definition.resources.gpu_config
        if gpu.count and gpu.gpu_type not in GPUS:
            refuse(Status.INVALID_ARGUMENT, f"Invalid GPU type: {gpu.gpu_type!r}")
        self._world.find(self._world.images, definition.image_id, "Image")
        for mount in definition.volume_mounts:
            self._world.find(self._world.volumes, mount.volume_id, "Volume")
        function.definition = definition
        data = pb.FunctionData(ranked_functions=[pb.FunctionData.RankedFunction(rank=0, function=definition)])
        return pb.FunctionCreateResponse(
            function_id=function.id, function=definition, function_data=data, handle_metadata=function.metadata
        )

    async def FunctionMap(self, message: pb.FunctionMapRequest, task: Task | None) -> pb.FunctionMapResponse:
        function: Function = self._world.find(self._world.functions, message.function_id, "Function")
        if message.function_call_invocation_type != pb.FUNCTION_CALL_INVOCATION_TYPE_ASYNC:
            refuse(Status.UNIMPLEMENTED, "only .spawn() is known to the local server")
        if function.app.stopping:
            refuse(Status.NOT_FOUND, f"App {function.app.id} is stopped")
        call = Call(self._world.new_id("fc"), function)
        self._world.calls[call.id] = call
        return pb.FunctionMapResponse(
            function_call_id=call.id,
            function_call_jwt=_token(function_call_id=call.id),
            retry_policy=function.definition.retry_policy,
            max_inputs_outstanding=1000,
            pipelined_inputs=self._enqueued(call, message.pipelined_inputs),
        )

    async def FunctionPutInputs(
        self, message: pb.FunctionPutInputsRequest, task: Task | None
    ) -> pb.FunctionPutInputsResponse:
        return pb.FunctionPutInputsResponse(inputs=self._enqueued(self._call(message.function_call_id), message.inputs))

    def _enqueued(self, call: Call, items: object) -> list[pb.FunctionPutInputsResponseItem]:
        answers = []
        for item in items:  # type: ignore[attr-defined]
            waiting = Input(self._world.new_id("in"), call, item.idx, item.input)
            call.inputs.append(waiting)
            self._world.inputs[waiting.id] = waiting
            call.function.queue.append(waiting)
            token = _token(idx=item.idx, input_id=waiting.id)
            answers.append(pb.FunctionPutInputsResponseItem(idx=item.idx, input_id=waiting.id, input_jwt=token))
        self._scheduler.schedule(call.function)
        return answers

    async def FunctionGetOutputs(
        self, message: pb.FunctionGetOutputsRequest, task: Task | None
    ) -> pb.FunctionGetOutputsResponse:
        call = self._call(message.function_call_id)
        until = time.monotonic() + message.timeout
        while not call.outputs and time.monotonic() < until:
            await call.pulse.wait(until - time.monotonic())
        unfinished = sum(item.state != "done" for item in call.inputs)
        return pb.FunctionGetOutputsResponse(
            outputs=call.outputs, last_entry_id=f"{len(call.outputs)}-0", num_unfinished_inputs=unfinished
        )

    async def FunctionCallFromId(
        self, message: pb.FunctionCallFromIdRequest, task: Task | None
    ) -> pb.FunctionCallFromIdResponse:
        call = self._call(message.function_call_id)
        metadata = pb.FunctionCallHandleMetadata(app_id=call.function.app.id, function_id=call.function.id)
        return pb.FunctionCallFromIdResponse(function_call_id=call.id, num_inputs=len(call.inputs), metadata=metadata)

    async def FunctionCallGetInfo(
        self, message: pb.FunctionCallGetInfoRequest, task: Task | None
    ) -> pb.FunctionCallGetInfoResponse:
        call = self._call(message.function_call_id)
        ended = collections.Counter(item.outcome for item in call.inputs if item.state == "done")
        known = (SUCCESS, Result.GENERIC_STATUS_TIMEOUT, Result.GENERIC_STATUS_TERMINATED)

        def total(*outcomes: int) -> pb.InputCategoryInfo:
            return pb.InputCategoryInfo(total=sum(ended[outcome] for outcome in outcomes))

        info = pb.FunctionCallInfo(
            function_call_id=call.id,
            created_at=call.created,
            total_inputs=len(call.inputs),
            succeeded_inputs=total(SUCCESS),
            failed_inputs=total(*(outcome for outcome in ended if outcome not in known)),
            timeout_inputs=total(Result.GENERIC_STATUS_TIMEOUT),
            cancelled_inputs=total(Result.GENERIC_STATUS_TERMINATED),
            pending_inputs=pb.InputCategoryInfo(total=len(call.inputs) - sum(ended.values())),
        )
        return pb.FunctionCallGetInfoResponse(info=info)

    async def FunctionCallCancel(self, message: pb.FunctionCallCancelRequest, task: Task | None) -> Empty:
        call = self._call(message.function_call_id)
        call.cancelled = True
        cancelled = Result(status=Result.GENERIC_STATUS_TERMINATED, exception="Input was cancelled by user")
        for item in call.inputs:
            worker = item.task
            if item.state == "queued":
                call.function.queue.remove(item)
            if worker is None or message.terminate_containers:
                self._scheduler.finish(item, cancelled)
                if worker is not None:
                    self._scheduler.kill(worker, "cancelled")
            else:
                worker.to_cancel.append(item.id)
                worker.pulse.beat()
        return Empty()

    def _call(self, call_id: str) -> Call:
        call: Call = self._world.find(self._world.calls, call_id, "FunctionCall")
        return call


class Work:
    def __init__(self, world: World, scheduler: Scheduler) -> None:
        self._world, self._scheduler = world, scheduler

    async def ContainerHello(self, message: object, task: Task) -> Empty:
        return Empty()

    async def ContainerHeartbeat(self, message: object, task: Task) -> pb.ContainerHeartbeatResponse:
        until = time.monotonic() + _HEARTBEAT_S
        while not task.to_cancel and time.monotonic() < until:
            await task.pulse.wait(until - time.monotonic())
        ids, task.to_cancel = task.to_cancel, []
        event = pb.CancelInputEvent(input_ids=ids) if ids else None
        return pb.ContainerHeartbeatResponse(cancel_input_event=event)

    async def FunctionGetInputs(self, message: object, task: Task) -> pb.FunctionGetInputsResponse:
        function = task.function
        until = time.monotonic() + self._world.idle_s
        while not function.queue or task.retired:
            if task.retired or time.monotonic() >= until:
                task.retired = True
                return pb.FunctionGetInputsResponse(inputs=[pb.FunctionGetInputsItem(kill_switch=True)])
            await function.pulse.wait(until - time.monotonic())
        item = self._scheduler.take(task)
        return pb.FunctionGetInputsResponse(
            inputs=[
                pb.FunctionGetInputsItem(
                    input_id=item.id,
                    input=item.item,
                    function_call_id=item.call.id,
                    retry_count=item.attempt,
                    function_call_invocation_type=pb.FUNCTION_CALL_INVOCATION_TYPE_ASYNC,
                )
            ]
        )

    async def FunctionPutOutputs(self, message: pb.FunctionPutOutputsRequest, task: Task) -> Empty:
        for output in message.outputs:
            item = self._world.inputs.get(output.input_id)
            if item is not None and item.task is task and item.attempt == output.retry_count:
                self._scheduler.finish(item, output.result, output.data_format)
        return Empty()

    async def TaskResult(self, message: pb.TaskResultRequest, task: Task) -> Empty:
        task.result = message.result
        return Empty()


def _token(**payload: object) -> str:
    """The SDK reads the payload of a token, and does not verify it."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none'})}.{part(payload)}."
